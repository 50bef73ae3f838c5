"""Traces for OpenTelemetry, where the usual environment asks for them.

A span is made when it is over, of what the rows say: so a trace goes on through the queue, through other processes and
through a restart. Its ids are derived from the id of the chain or command, which every row has; nothing else is stored.
No span holds a text that a user or an agent has written.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final, Protocol

from claude_pool_gh.extras import MissingExtra, extras_named

logger = logging.getLogger(__name__)

_ENDPOINTS: Final = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
_PROTOCOLS: Final = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
PROTOCOL: Final = "http/protobuf"
Attribute = str | int | float | bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Something that took from one moment to another."""

    name: str
    subject: str
    """The id of the chain or command whose trace it belongs to."""
    key: str
    """Names it within its trace."""
    parent: str
    """The key of the span that it belongs to; "" for the first one."""
    begin_ms: int
    end_ms: int
    attributes: Mapping[str, Attribute] = field(default_factory=dict)
    failed: bool = False


class Traces(Protocol):
    """Takes spans. Called from the event loop."""

    def add(self, span: Span) -> None:
        """Send a span, soon."""
        ...

    def close(self) -> None:
        """Send what is left. Waits for the network."""
        ...


class NoTraces:
    """Takes spans, and does nothing."""

    def add(self, span: Span) -> None:
        """See `Traces`."""

    def close(self) -> None:
        """See `Traces`."""


def endpoint_of(environment: Mapping[str, str]) -> str:
    """The name of the variable that asks for traces; "" where none does."""
    off = environment.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"
    if off or environment.get("OTEL_TRACES_EXPORTER", "otlp").strip() not in ("", "otlp"):
        return ""
    return next((name for name in _ENDPOINTS if environment.get(name, "").strip()), "")


def other_protocol(environment: Mapping[str, str]) -> str:
    """The protocol that the environment asks for in place of the one that is spoken; "" for no other."""
    asked = next((environment[name] for name in _PROTOCOLS if environment.get(name)), PROTOCOL)
    return "" if asked == PROTOCOL else asked


@asynccontextmanager
async def open_traces(environment: Mapping[str, str]) -> AsyncIterator[Traces]:
    """Traces as the environment asks for them. A server runs without them where they cannot be sent."""
    traces = _made(environment)
    try:
        yield traces
    finally:
        await asyncio.to_thread(traces.close)


def _made(environment: Mapping[str, str]) -> Traces:
    if not (name := endpoint_of(environment)):
        return NoTraces()
    try:
        with extras_named():
            from claude_pool_gh.service.monitoring.otlp import OtlpTraces  # noqa: PLC0415 - an extra
    except MissingExtra as error:
        told = {"action": "no_traces", "do": "install the extra, or remove the variable"}
        logger.error("%s is set, and no traces are sent: %s", name, error, extra=told)  # noqa: TRY400
        return NoTraces()
    return OtlpTraces(environment)
