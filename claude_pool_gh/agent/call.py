"""One request of an agent's on its way to the model's API, and its answer on the way back."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any, Final

from aiohttp import web

from claude_pool_gh.agent import admission
from claude_pool_gh.agent.counted import Conversation
from claude_pool_gh.agent.meter import AdmittedRequest
from claude_pool_gh.agent.passes import Pass

_LEAST_THINKING: Final = 1024  # the API refuses less


@dataclass(slots=True)
class Call:
    """One request on its way: what to ask, and what the agent gets of the answer."""

    run: Pass
    model: str
    body: dict[str, Any]
    query: dict[str, str]
    headers: dict[str, str]
    conversation: Conversation
    own: bool
    """Whether it is the agent's own, not of one that it has started."""
    admitted: AdmittedRequest | None = None
    head: asyncio.Future[web.StreamResponse] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )
    pieces: asyncio.Queue[bytes | None] = field(default_factory=asyncio.Queue)
    broken: bool = False
    rewritten: bool = False
    """Whether it is read in another way than it was asked, so that its count says nothing of the
    agent's next one."""

    @property
    def request_id(self) -> str:
        """Names it in the ledger."""
        return "" if self.admitted is None else self.admitted.request_id

    @property
    def asked(self) -> int:
        """Tokens of output that the agent asks for."""
        asked = self.body.get("max_tokens")
        return asked if isinstance(asked, int) and asked > 0 else 4096

    @property
    def searches(self) -> int:
        """Searches of the web that the agent asks for."""
        tool = admission.web_search(self.body)
        return 0 if tool is None else int(tool["max_uses"])

    def search_at_most(self, times: int) -> None:
        """Allow only the searches that are paid for."""
        tool = admission.web_search(self.body)
        if tool is not None and tool["max_uses"] != times:
            self.rewritten = True
            self.body["tools"] = [
                each | {"max_uses": times} if each is tool else each for each in self.body["tools"]
            ]

    def lower(self, max_tokens: int) -> None:
        """Ask for as many tokens as are paid for, and a thinking budget that fits below them."""
        self.body["max_tokens"] = max_tokens
        thinking = self.body.get("thinking")
        if isinstance(thinking, dict) and isinstance(budget := thinking.get("budget_tokens"), int):
            fits = {"budget_tokens": min(budget, max_tokens // 2)}
            if max_tokens >= 2 * _LEAST_THINKING:
                self.body["thinking"] = thinking | fits
            else:
                self.body["thinking"], self.rewritten = {"type": "disabled"}, True

    def answer(self, head: web.StreamResponse) -> None:
        """Let the agent have the head of its answer, if it still waits."""
        if not self.head.done():
            self.head.set_result(head)
