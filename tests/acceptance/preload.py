"""Imports what a forked server needs, once; what is there by then is left alone by the forks' garbage collector."""

from __future__ import annotations

import gc

import alembic.command
import claude_agent_sdk

import claude_pool_gh.service.cli
import claude_pool_gh.service.serve
import tests.acceptance.forked
import tests.crash.mortal

__all__ = ["alembic", "claude_agent_sdk", "claude_pool_gh", "tests"]

gc.collect()
gc.freeze()
