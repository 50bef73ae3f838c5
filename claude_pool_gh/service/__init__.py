"""The only package that knows all the others: settings, wiring, the servers, the command line."""
