"""Audits of whole repositories: what to read, how it is cut, what it may cost, and what became of every finding."""
