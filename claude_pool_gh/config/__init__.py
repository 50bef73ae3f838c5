"""The decisions of a repository, in `.github/claude-pool.yml` on its default branch. No I/O."""
