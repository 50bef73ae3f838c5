"""List and check skills, the built-in ones and your own."""
