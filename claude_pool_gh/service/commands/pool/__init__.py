"""Inspect a pool's database."""
