"""Sends spans with OpenTelemetry's SDK, over HTTP, as its own variables say."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from hashlib import sha256
from importlib.metadata import version
from typing import Final

import requests
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.trace.sampling import Decision
from opentelemetry.trace import (
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    StatusCode,
    TraceFlags,
    set_span_in_context,
)

from claude_pool_gh.service.monitoring.traces import Span

logger = logging.getLogger(__name__)

_NAME: Final = "claude-pool-gh"
_CLOSE_SECONDS: Final = 5.0
"""For the rest to be sent when a process stops; a collector that hangs delays it no longer."""
_NS: Final = 1_000_000


class _Ids(IdGenerator):
    """Gives each span the ids that follow from what it is about."""

    def __init__(self) -> None:
        self.trace = self.span = 0

    def generate_trace_id(self) -> int:
        return self.trace

    def generate_span_id(self) -> int:
        return self.span


class OtlpTraces:
    """See `Traces`."""

    def __init__(
        self, environment: Mapping[str, str], close_seconds: float = _CLOSE_SECONDS
    ) -> None:
        self._close_seconds = close_seconds
        named = {} if environment.get("OTEL_SERVICE_NAME") else {"service.name": _NAME}
        self._ids = _Ids()
        self._provider = TracerProvider(
            resource=Resource.create({**named, "service.version": version(_NAME)}),
            id_generator=self._ids,
            shutdown_on_exit=False,
        )
        self._exporter: SpanExporter = _exporter()
        self._provider.add_span_processor(BatchSpanProcessor(self._exporter))
        self._tracer = self._provider.get_tracer(_NAME)

    def add(self, span: Span) -> None:
        """See `Traces.add`."""
        self._ids.trace, self._ids.span = trace_id(span.subject), span_id(span.subject, span.key)
        context = None
        if span.parent:
            # Every process decides alike whether a trace is sampled.
            root = self._provider.sampler.should_sample(None, self._ids.trace, span.name)
            flags = (
                TraceFlags.SAMPLED
                if root.decision is Decision.RECORD_AND_SAMPLE
                else TraceFlags.DEFAULT
            )
            parent = SpanContext(
                self._ids.trace,
                span_id(span.subject, span.parent),
                is_remote=True,
                trace_flags=TraceFlags(flags),
            )
            context = set_span_in_context(NonRecordingSpan(parent))
        made = self._tracer.start_span(
            span.name,
            context=context,
            kind=SpanKind.INTERNAL if span.parent else SpanKind.SERVER,
            attributes=dict(span.attributes),
            start_time=span.begin_ms * _NS,
        )
        if span.failed:
            made.set_status(StatusCode.ERROR)
        made.end(end_time=max(span.begin_ms, span.end_ms) * _NS)

    def close(self) -> None:
        """See `Traces.close`."""
        # Sends what is left too. No argument of the SDK's bounds that: it waits for each request to end.
        ending = threading.Thread(target=self._provider.shutdown, daemon=True)
        ending.start()
        ending.join(self._close_seconds)
        if ending.is_alive():
            self._exporter.shutdown()  # no request is made again, and no other one begun
            logger.warning("the last traces were not taken in time", extra={"action": "no_traces"})


def _exporter() -> OTLPSpanExporter:
    """Goes directly: the environment's proxy is not heeded here either."""
    session = requests.Session()
    session.trust_env = False
    return OTLPSpanExporter(session=session)


def is_taken() -> bool:
    """True where the collector takes a request, which has no spans in it."""
    return _exporter().export(()) is SpanExportResult.SUCCESS


def trace_id(subject: str) -> int:
    """The id of the trace of a chain or command."""
    return int.from_bytes(sha256(f"trace {subject}".encode()).digest()[:16])


def span_id(subject: str, key: str) -> int:
    """The id of a span of that trace."""
    return int.from_bytes(sha256(f"span {subject} {key}".encode()).digest()[:8])
