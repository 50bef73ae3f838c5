"""`claude-pool-gh audit --org`, `--installation`, `--repos`: many repositories under one budget."""
