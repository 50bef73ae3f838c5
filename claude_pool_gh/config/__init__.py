"""What a repository may decide, in `.github/claude-pool.yml` on its default branch. No I/O."""
