"""The Action: a server that lives for one command of one job. `look` and `after` run on the standard library alone."""
