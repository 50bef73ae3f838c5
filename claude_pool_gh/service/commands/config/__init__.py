"""The repository's configuration file, .github/claude-pool.yml."""
