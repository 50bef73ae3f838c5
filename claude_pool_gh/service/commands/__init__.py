"""The commands of the shell, one a file; `command_line/lazy_group.py` says how they are found."""
