"""The state that a thread's jobs share: its database, kept in a ref of the repository between them."""
