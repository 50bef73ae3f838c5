"""What every command of the shell is made with: groups that load a command when it is called, and common flags."""
