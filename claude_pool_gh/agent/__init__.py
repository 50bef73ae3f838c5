"""One Claude run: its options, its process, the gateway that pays for it, and what came of it.

The only package that imports the SDK, and only lazily: the server starts without it.
"""
