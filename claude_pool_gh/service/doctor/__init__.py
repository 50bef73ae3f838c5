"""The checks of `claude-pool-gh doctor`."""
