"""The names of chains: a line of the log that knows a chain or a run also names its thread, verb and user."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

_REMEMBERED: Final = 10_000


@dataclass(slots=True)
class ChainNames:
    """The facts that are known of chains by their ids, the newest some thousand. Safe from any thread."""

    _known: OrderedDict[str, Mapping[str, str]] = field(default_factory=OrderedDict)
    _alone: threading.Lock = field(default_factory=threading.Lock)

    def remember(self, chain_id: str, names: Mapping[str, str]) -> None:
        """Keep `where` (`owner/name#number`), `verb` and `user` of a chain."""
        with self._alone:
            self._known[chain_id] = names
            self._known.move_to_end(chain_id)
            while len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)

    def of(self, chain_id: str) -> Mapping[str, str]:
        """The names of a chain; nothing for one that is not known."""
        return self._known.get(chain_id, {})


NAMES: Final = ChainNames()
"""Those of this process: the log is one for each process too."""
