"""Starts programs so that they, and all that they start, cannot outlive us."""
