"""List and check workflows, the built-in ones and your own."""
