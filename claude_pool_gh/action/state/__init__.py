"""What a thread's jobs know of each other: its database, kept in a ref of the repository between them."""
