"""The facts that a server tells monitors of itself: readiness, and metrics in Prometheus' form."""
