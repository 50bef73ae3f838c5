"""HTTP: routing, credentials, answers, faults, git over HTTP, webhooks."""
