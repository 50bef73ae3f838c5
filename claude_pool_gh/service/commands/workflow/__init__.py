"""List and check workflows: the built-in ones, and those of this project."""
