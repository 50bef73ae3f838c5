"""The files of a repository's default branch: its configuration, its guidance, its recipes."""
