"""The only package that knows all the others: settings, wiring, the doors, the command line."""
