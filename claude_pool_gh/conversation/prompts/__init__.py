"""Threads in words, for agents, with what others wrote inside a fence."""
