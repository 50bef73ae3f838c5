"""The forge: verified deliveries in, effects out, reads between. Only importer of gidgethub and PyGithub.

No URL out of a payload, a comment or an agent is ever requested: addresses are built from the configured base,
names that were checked, and numbers.
"""
