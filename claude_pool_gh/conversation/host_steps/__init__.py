"""Wrappers of host steps: where another machine began, after a rename, through an outage."""
