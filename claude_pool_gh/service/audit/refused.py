"""The exit codes of `claude-pool-gh audit`, and the error that ends it before anything is read."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import click

from claude_pool_gh.audits.model import AuditResult, Completeness
from claude_pool_gh.extras import MissingExtra, extras_named
from claude_pool_gh.pool.model.errors import PoolError
from claude_pool_gh.service.flags import in_flags
from claude_pool_gh.service.plain import echo
from claude_pool_gh.worktrees.errors import WorktreeError

CLEAN: Final = 0
"""Everything that was asked for was read, and nothing is open."""
FINDINGS: Final = 1
"""Everything that was asked for was read, and something is open."""
NOT_COVERED: Final = 2
"""Something was not read or not settled, or the audit could not run."""


class AuditRefused(click.ClickException):
    """The reason why an audit cannot run, and what to do about it."""

    exit_code = NOT_COVERED


@contextmanager
def in_shell_words() -> Iterator[None]:
    """Errors of the pool and of git in the block become `AuditRefused`, with flags in place of settings."""
    try:
        yield
    except (PoolError, WorktreeError, ValueError) as error:
        raise AuditRefused(in_flags(str(error))) from error


@contextmanager
def coded() -> Iterator[None]:
    """Whatever else goes wrong in the block ends with the same code: 1 says that something was found."""
    try:
        with extras_named():
            yield
    except (AuditRefused, click.UsageError):
        raise
    except click.ClickException as error:
        raise AuditRefused(error.message) from error
    except MissingExtra as error:
        raise AuditRefused(str(error)) from error
    except Exception:  # noqa: BLE001 - told whole, and with a code that says nothing was found
        echo(traceback.format_exc(), err=True)
        raise AuditRefused(
            "an internal error ended the audit: run the same command to resume"
        ) from None


def exit_code(result: AuditResult) -> int:
    """The exit code that says what came of an audit. Pure."""
    if result.completeness is not Completeness.complete or result.problems or result.unjudged:
        return NOT_COVERED
    return FINDINGS if result.standing else CLEAN
