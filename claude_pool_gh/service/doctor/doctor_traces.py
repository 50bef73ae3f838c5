"""The part of `doctor` that looks at traces: asked for, possible, and taken."""

from __future__ import annotations

import logging
import os
from typing import Final

from claude_pool_gh.extras import MissingExtra, extras_named
from claude_pool_gh.service.doctor.diagnosis import Diagnosis
from claude_pool_gh.service.monitoring.traces import PROTOCOL, endpoint_of, other_protocol
from claude_pool_gh.service.settings import Settings

_WHAT: Final = "traces"


def examine(_settings: Settings) -> Diagnosis:
    """Send a request without a span to where traces are sent, in the way in which the server sends them."""
    if not (name := endpoint_of(os.environ)):
        return Diagnosis(_WHAT, "not asked for: OTEL_EXPORTER_OTLP_ENDPOINT is not set")
    if other := other_protocol(os.environ):
        return Diagnosis(
            _WHAT,
            f"OTEL_EXPORTER_OTLP_PROTOCOL is {other}; only {PROTOCOL} is spoken",
            f"set it to {PROTOCOL}, and {name} to that port of the collector, mostly 4318",
        )
    try:
        with extras_named():
            from claude_pool_gh.service.monitoring.otlp import is_taken  # noqa: PLC0415 - an extra
    except MissingExtra as error:
        return Diagnosis(
            _WHAT,
            f"{name} is set, and no traces are sent: an extra is missing",
            f"{str(error).partition('; it comes with: ')[2]}; or remove {name}",
        )
    logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)  # it is said below
    if not is_taken():
        return Diagnosis(
            _WHAT,
            f"the collector that {name} names does not take them",
            f"check {name} and OTEL_EXPORTER_OTLP_HEADERS, and that the collector runs and "
            f"receives {PROTOCOL}",
        )
    return Diagnosis(_WHAT, f"taken by the collector that {name} names")
