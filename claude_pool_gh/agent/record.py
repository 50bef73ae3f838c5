"""The record of a run: a transcript for those who want to know, and a short list of what was looked at."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

_ENTRY_LIMIT: Final = 4_000
_ENTRIES_LIMIT: Final = 600
_LIST_LIMIT: Final = 150


@dataclass(slots=True)
class Record:
    """Collects messages of the CLI as plain JSON. Every text goes through `redact` and is cut."""

    redact: Callable[[str], str]
    root: str
    entries: list[dict[str, Any]] = field(default_factory=list)
    files: dict[str, None] = field(default_factory=dict)
    searches: dict[str, None] = field(default_factory=dict)
    denied: dict[str, None] = field(default_factory=dict)
    text: str = ""
    speaking: bool = False
    asked: dict[str, tuple[dict[str, None], str]] = field(default_factory=dict)
    """Calls without an answer yet: where each is noted once it got one."""

    def say(self, text: str) -> None:
        """The agent's prose. What it says after its last use of a tool is the run's answer, in however many pieces."""
        self.text = self.text + text if self.speaking else text
        self.speaking = True
        self._add("says", text)

    def use(self, call: str, tool: str, arguments: Mapping[str, Any]) -> None:
        """A call of a tool. What it looks at counts as looked at once it is answered."""
        self.speaking = False
        self._add("uses", f"{tool} {json.dumps(dict(arguments), ensure_ascii=False)}")
        match tool:
            case "Read":
                self.asked[call] = self.files, str(arguments.get("file_path", ""))
            case "Grep" | "Glob":
                self.asked[call] = self.searches, str(arguments.get("pattern", ""))
            case _:
                pass

    def answer(self, call: str, text: str, *, error: bool) -> None:
        """Note the answer of a tool."""
        noted = self.asked.pop(call, None)
        if noted is not None and not error:
            self._note(*noted)
        self._add("is refused" if error else "gets", text)

    def deny(self, tool: str, why: str) -> None:
        """A call that was not allowed."""
        self._note(self.denied, f"{tool}: {why}")

    def looked_at(self) -> dict[str, list[str]]:
        """Files, searches and denials, each once, in order."""
        return {
            "files": list(self.files),
            "searches": list(self.searches),
            "denied": list(self.denied),
        }

    def _note(self, where: dict[str, None], text: str) -> None:
        if text and len(where) < _LIST_LIMIT:
            where[self.redact(text.removeprefix(f"{self.root}/"))[:300]] = None

    def _add(self, what: str, text: str) -> None:
        if len(self.entries) < _ENTRIES_LIMIT:
            self.entries.append({"what": what, "text": self.redact(text)[:_ENTRY_LIMIT]})
