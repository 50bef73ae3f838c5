"""Everything that one simulated GitHub knows: data, and questions about it that change nothing."""
