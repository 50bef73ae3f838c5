"""`/pool review`: the verb, and the steps of its recipe that the host does itself."""
