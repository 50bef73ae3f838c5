"""What an audit came to, in each form in which people and programs read it. Pure functions of its result."""
