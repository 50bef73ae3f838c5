"""What a user would otherwise do: the diff in one plain prompt, straight to the API."""

from __future__ import annotations

import json
import time
from typing import Any, Final

import aiohttp

from claude_pool_gh.agent.prices import price
from claude_pool_gh.rehearsal.github import Pull, Repository
from evals.corpus import Case, Scored, Stated, score

_PROMPT: Final = """Review this pull request and report bugs.

Title: {title}

{body}

{diff}

Answer with nothing but a JSON list; each bug an object with `path`, `line` (in the new file), `title` and `body`.
Answer [] if there is none."""


async def review_plainly(
    case: Case, repository: Repository, pull: Pull, *, url: str, key: str, model: str
) -> Scored:
    """Score one plain prompt."""
    diff = repository.diff(repository.head("main"), pull.head_sha)
    prompt = _PROMPT.format(title=case.title, body=case.body, diff=diff)
    body = {"model": model, "max_tokens": 8_000, "messages": [{"role": "user", "content": prompt}]}
    headers = {"x-api-key": key, "anthropic-version": "2023-06-01"}
    started = time.monotonic()
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{url}/v1/messages", json=body, headers=headers) as answer,
    ):
        said: dict[str, Any] = await answer.json()
        seconds = time.monotonic() - started
        if answer.status != 200:
            return score(case, [], 0, seconds, failed=f"HTTP {answer.status}")
    return score(case, _stated(said), price(model, said["usage"]), seconds)


def _stated(said: dict[str, Any]) -> list[Stated]:
    text = "".join(block.get("text", "") for block in said.get("content", ()))
    try:
        found = json.loads(text[text.index("[") : text.rindex("]") + 1])
        return [
            Stated(
                path=str(f["path"]),
                line=int(f["line"]),
                text=f"{f.get('title', '')} {f.get('body', '')}",
            )
            for f in found
        ]
    except (ValueError, KeyError, TypeError):
        return []
