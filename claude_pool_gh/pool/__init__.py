"""The engine: chains of steps, run by agents on slots, with money reserved before it is spent.

Knows nothing of GitHub, git or Claude. It asks for an agent, a workspace and a clock through the Protocols in
`ports`, and tells whoever listens, inside the transaction, when a chain changes. `pool.Pool` is its front.
"""
