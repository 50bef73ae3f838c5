"""Git: a mirror per repository, a throw-away worktree per task, and what came of it as commit and patch.

Invariant: the host never runs git in a git directory that an agent could have written. Everything an agent
leaves behind is read with the mirror as git directory, the host's own index, and no configuration but ours.
"""
