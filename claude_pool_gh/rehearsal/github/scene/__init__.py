"""The handles that a test holds: they act as people do, and answer what there is."""
