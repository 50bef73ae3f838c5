"""Work of a shell: a pool for one command, gates in a terminal, chains that wait, checks of recipe files."""
