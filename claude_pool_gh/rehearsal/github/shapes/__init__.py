"""GitHub's JSON, written out of the state: pure functions, one per schema."""
