"""From GitHub's events and comments to a decision, and from a decision to a chain."""
