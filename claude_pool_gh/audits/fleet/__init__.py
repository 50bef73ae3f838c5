"""Audits of many repositories under one budget: what each came to, and the overview of all."""
