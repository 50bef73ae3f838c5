"""The parts of every command of the shell: groups that load a command when it is called, and common flags."""
