"""Refusals, in GitHub's words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


class RefusedError(Exception):
    """A request that GitHub answers with an error status and a message."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        errors: Sequence[Any] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(f"{status} {message} {list(errors) or ''}".strip())
        self.status = status
        self.message = message
        self.errors = tuple(errors)
        self.headers = dict(headers or {})


def missing() -> RefusedError:
    """The answer for what is not there, or may not be seen."""
    return RefusedError(404, "Not Found")


def not_its_app(app: int) -> RefusedError:
    """A check run is changed by the app that has made it, and by nobody else."""
    return RefusedError(
        403,
        f"Invalid app_id `{app}` - check run can only be modified by the GitHub App that created it.",
    )


def forbidden(needs: str = "") -> RefusedError:
    """The installation lacks the permission. `needs`: those of which one would do, as routes write them."""
    accepted = "; ".join(each.replace(":", "=") for each in needs.split())
    headers = {"X-Accepted-GitHub-Permissions": accepted} if accepted else None
    return RefusedError(403, "Resource not accessible by integration", headers=headers)


def invalid(
    resource: str, field: str, code: str = "invalid", message: str | None = None
) -> RefusedError:
    """One field is wrong, said in GitHub's usual form."""
    error = {"resource": resource, "field": field, "code": code}
    if message is not None:
        error["message"] = message
    return RefusedError(422, "Validation Failed", errors=[error])


def unprocessable(*errors: str) -> RefusedError:
    """Several plain sentences about what is wrong."""
    return RefusedError(422, "Unprocessable Entity", errors=errors)


def unreachable_repository() -> RefusedError:
    """A token was asked for a repository that the installation does not cover."""
    text = "There is at least one repository that does not exist or is not accessible"
    return RefusedError(422, f"{text} to the parent installation.")


def too_fast(retry_after: int | None = 60) -> RefusedError:
    """The limit on bursts, in GitHub's words."""
    text = (
        "You have exceeded a secondary rate limit. Please wait a few minutes before you try again."
    )
    headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
    return RefusedError(403, text, headers=headers)
