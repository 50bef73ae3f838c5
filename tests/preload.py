"""Imports what a forked program needs, once; what is there by then is left alone by the forks' garbage collector."""

from __future__ import annotations

import gc
from typing import Any, cast

import alembic.command
import anyio._backends._asyncio
import claude_agent_sdk
import filelock
import genai_prices.data
import genai_prices.decompose
import genai_prices.validation
import gidgethub.apps

import claude_pool_gh.action.__main__
import claude_pool_gh.action.run
import claude_pool_gh.agent.options
import claude_pool_gh.service.cli
import claude_pool_gh.service.commands.audit
import claude_pool_gh.service.commands.doctor
import claude_pool_gh.service.commands.init
import claude_pool_gh.service.commands.run
import claude_pool_gh.service.commands.serve
import claude_pool_gh.service.server.serve
import tests.acceptance.forked
import tests.crash.mortal
import tests.pool.worker
from claude_pool_gh.conversation.registry import check_recipes, handlers

check_recipes(handlers(), cast(Any, None))  # so that the recipes are parsed

__all__ = [
    "alembic",
    "anyio",
    "claude_agent_sdk",
    "claude_pool_gh",
    "filelock",
    "genai_prices",
    "gidgethub",
    "tests",
]

gc.collect()
gc.freeze()
