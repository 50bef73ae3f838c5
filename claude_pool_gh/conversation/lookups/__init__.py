"""Lookups of what a command means on its thread: which chain, which finding, which lines of code."""
