"""The wire: routing, tokens on requests, answers, faults, git over HTTP."""
