"""The log of a process: its lines, their names, and what is left out of a flood."""
