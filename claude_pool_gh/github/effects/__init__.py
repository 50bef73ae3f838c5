"""The effects that should stand or happen on GitHub, as rows, and the one writer that makes them.

*Standing* effects follow the newest wanted content; *once* effects happen one time. A row is marked before its
first attempt, so after any crash or unanswered request the writer looks for what it made before it makes another.
"""
