"""The answers to an agent where the model is not asked, or gives no answer."""

from __future__ import annotations

import json
import logging
from typing import Final

from aiohttp import web

from claude_pool_gh.agent.passes import OPERATOR, Pass, Verdict
from claude_pool_gh.agent.upstream import UpstreamResponse

logger = logging.getLogger(__name__)

RETURNED: Final = ("content-type", "retry-after", "request-id")
"""Headers of the API's answer that an agent gets."""

_HALF_A_DAY: Final = 43_200
_CREDIT: Final = "credit balance"
_KEY_REFUSED: Final = (401, 403)
_LONG: Final = 120  # seconds
_DO: Final[dict[str, str]] = {
    "key": "set ANTHROPIC_API_KEY to a valid key and start the server again",
    "credit": "add credit to the account that ANTHROPIC_API_KEY belongs to",
    "unknown_model": "name a model by its full id: CLAUDE_POOL_MODEL, or `model` in the repository's configuration",
    "unreachable": "check ANTHROPIC_BASE_URL and this machine's way to it",
}
_REASON_LIMIT: Final = 300


def error(status: int, kind: str, message: str) -> web.Response:
    """An answer in the form of the API's own errors."""
    return web.json_response(
        {"type": "error", "error": {"type": kind, "message": message}}, status=status
    )


def over() -> web.Response:
    """The answer to a request of a run that has ended."""
    return error(404, "not_found_error", "this run is over")


def refused(run: Pass, verdict: Verdict, detail: str) -> web.Response:
    """End the run: HTTP 402 is the one refusal that the CLI neither repeats nor answers with another model."""
    run.refuse(verdict, detail)
    return error(402, "billing_error", detail)


def unreachable(run: Pass, cause: Exception, patience: float) -> web.Response:
    """The answer where the API could not be reached, for as long as it was tried."""
    if patience and len(run.models) < 2:
        detail = f"the model's API cannot be reached, tried for {_minutes(patience)}"
        return refused(run, "overload", detail)
    return lost(cause)


def lost(cause: Exception) -> web.Response:
    """The answer where nobody knows what became of the request."""
    return error(502, "api_error", f"the model's API cannot be reached: {type(cause).__name__}")


def final(
    run: Pass, model: str, found: UpstreamResponse, body: bytes, until: str, patience: float
) -> web.Response | None:
    """End the run where no further try can change a refusal; None where another may help.

    `until`: when the API asks to be asked again, for people.
    """
    status, said = found.status, body[:4_000].decode("utf-8", "replace").lower()
    if status in _KEY_REFUSED:
        return refused(run, "key", f"the model's API refused the server's key (HTTP {status})")
    if status == 402 or (status == 400 and _CREDIT in said):
        detail = f"the server's account with the model's API has no credit (HTTP {status})"
        return refused(run, "credit", detail)
    if status == 404:
        detail = f"the model's API does not know the model {model!r} (HTTP 404)"
        return refused(run, "unknown_model", detail)
    if status == 429 and not found.passes:
        return refused(run, "quota", f"the model's API asks to wait until {until}")
    if found.passes and patience and len(run.models) < 2:
        detail = f"the model's API: {run.trouble}, tried for {_minutes(patience)}"
        return refused(run, "overload", detail)
    return None


def log(run: Pass, model: str, status: str, reason: str) -> None:
    """One line for a refusal of the model's API: an error where only the operator can change anything.

    `status`: of HTTP, or `unreachable`.
    """
    name = status if status == "unreachable" else str(run.verdict or "")
    level = logging.ERROR if name in OPERATOR or name == "unreachable" else logging.WARNING
    told = {"action": "model_refused", "run": run.run_id, "model": model, "status": status}
    said = {"reason": reason, "do": _DO.get(name, "")}
    logger.log(level, "the model's API refused a request", extra=told | said)


def reason_of(body: bytes) -> str:
    """The API's own words in a refusal; the beginning of what is none of its form."""
    try:
        return str(json.loads(body)["error"]["message"])[:_REASON_LIMIT]
    except (ValueError, LookupError, TypeError, RecursionError):
        return body[:_REASON_LIMIT].decode("utf-8", "replace")


def shape_of(wait: float) -> str:
    """The written form of a moment so many seconds from now."""
    return "%H:%M UTC" if wait < _HALF_A_DAY else "%d %B, %H:%M UTC"


def passed_on(found: UpstreamResponse, body: bytes) -> web.Response:
    """The API's own refusal, for the agent to decide about."""
    headers = {
        name: found.response.headers[name] for name in RETURNED if name in found.response.headers
    }
    return web.Response(status=found.status, body=body, headers=headers)


def _minutes(seconds: float) -> str:
    return f"{seconds / 60:.0f} minutes" if seconds >= _LONG else f"{seconds:.0f} seconds"
