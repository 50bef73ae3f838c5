"""Copy built-in workflows and skills, to change them."""
