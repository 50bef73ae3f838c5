"""The verbs: one class in each file, found by `registry`. To add one, see CONTRIBUTING.md."""
