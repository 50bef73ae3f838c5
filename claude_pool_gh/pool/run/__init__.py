"""The work in this process: dispatching, carrying chains, running tasks on slots."""
