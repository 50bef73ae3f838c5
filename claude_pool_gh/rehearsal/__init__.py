"""A GitHub and a model small enough for a laptop: real HTTP, real git, scripted answers.

Imports no other package of this project; only `service` and the tests import it.
"""
