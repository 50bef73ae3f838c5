"""What everything else speaks in: plans, records, states, errors, settings and the ports to the outside."""
