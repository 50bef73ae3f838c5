"""A pool of Claude agents at a GitHub repository's service."""
