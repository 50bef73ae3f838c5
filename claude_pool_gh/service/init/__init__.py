"""`claude-pool-gh init`: sets a repository up for the Action, or makes the GitHub App of a server."""
