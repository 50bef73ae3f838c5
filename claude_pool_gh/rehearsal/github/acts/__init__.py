"""The changes that can be made: one function each, whoever asks for it, with the events it causes."""
