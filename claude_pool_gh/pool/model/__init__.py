"""The language of everything else: plans, records, states, errors, settings and the ports to the outside."""
