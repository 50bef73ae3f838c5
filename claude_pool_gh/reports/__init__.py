"""Typed results in, safe Markdown out. No I/O, no decision: what is said here was decided below."""
