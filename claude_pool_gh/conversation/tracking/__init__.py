"""The display of a chain on its thread: where it stands, what it costs, how it ended."""
