"""What a review asserts: its typed form, its place in the code, its identity from one run to the next."""
