"""An agent's change: captured, checked, shown for a decision, approved, pushed."""
