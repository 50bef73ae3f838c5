"""A command on this machine with the simulated GitHub, and what the bot would decide about a recorded event."""
