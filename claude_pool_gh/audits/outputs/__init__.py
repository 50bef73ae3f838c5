"""The result of an audit, in each form in which people and programs read it. Pure functions of its result."""
