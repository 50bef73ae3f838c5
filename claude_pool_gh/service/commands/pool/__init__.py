"""List chains that were started in a shell, and decide on them."""
