"""A GitHub and a model small enough for a laptop: real HTTP, real git, scripted answers.

Stands beside the house: imports no other room, and only service and tests import it.
"""
