"""Commands that tests interrupt."""

from __future__ import annotations

import signal
from collections.abc import Iterator, Mapping
from typing import Any, Final

import pytest

_USUAL: Final[Mapping[int, Any]] = {
    signal.SIGINT: signal.default_int_handler,
    signal.SIGTERM: signal.SIG_DFL,
    signal.SIGHUP: signal.SIG_DFL,
}


@pytest.fixture
def interruptible() -> Iterator[None]:
    """What runs in the background ignores Ctrl-C, and under `nohup` a closed terminal: so would all started here."""
    before = {number: signal.signal(number, usual) for number, usual in _USUAL.items()}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)
