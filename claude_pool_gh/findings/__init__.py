"""The findings of a review: their typed form, their place in the code, their identity from one run to the next."""
