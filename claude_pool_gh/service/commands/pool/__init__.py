"""List what was started in a shell and waits or stopped, and decide on it."""
