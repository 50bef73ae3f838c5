"""The server and its workers: wiring, the webhook's HTTP side, bounds, retention, backup."""
