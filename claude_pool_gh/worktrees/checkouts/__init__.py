"""Checkouts that cost what changed: shared by those who only read, moved from commit to commit for those who write.

A checkout is a folder of plain files without a git directory, and outside of it an index and a sealed list. The list
says what every entry was when it was made, so a walk proves that nothing of one run is there for the next.
"""
