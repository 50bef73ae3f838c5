"""Workflows and skills as files, and how they become plans."""
