"""What happens in this process: dispatching, carrying chains, running tasks on slots."""
