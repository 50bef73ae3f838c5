"""The fit of a recipe and a verb: names that recipes may use, and forms of answers that the verb reads."""
