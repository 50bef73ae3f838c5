"""Audits from a shell: of a checkout on this machine, or of many repositories under one budget."""
