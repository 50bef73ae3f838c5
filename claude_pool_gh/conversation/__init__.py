"""Joins the packages below: what each verb does, how a command becomes a chain, how a chain becomes a report."""
