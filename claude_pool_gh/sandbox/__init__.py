"""Runs a repository's own commands, isolated by bubblewrap: no network, no file of this machine but its programs.

Invariant: what runs here has no secret in its reach, cannot outlive the server, and is bounded in time, memory, files,
processes and output. Where that cannot be shown on this machine, nothing runs.
"""
