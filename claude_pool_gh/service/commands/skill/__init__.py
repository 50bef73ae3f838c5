"""List and check skills: the built-in ones, and those of this project."""
