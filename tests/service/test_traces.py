"""Spans go to whoever the usual environment names, join into one trace across processes, and cost nothing else."""

from __future__ import annotations

import asyncio
import logging
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from claude_pool_gh.service.doctor import doctor_traces
from claude_pool_gh.service.doctor.diagnosis import Diagnosis
from claude_pool_gh.service.monitoring.otlp import OtlpTraces, span_id, trace_id
from claude_pool_gh.service.monitoring.traces import (
    NoTraces,
    Span,
    endpoint_of,
    open_traces,
    other_protocol,
)
from claude_pool_gh.service.settings import Settings
from tests.patience import PATIENCE
from tests.service.otlp_receiver import attributes, receiving
from tests.service.test_extras import WITHOUT

ROOT = Path(__file__).parents[2]
DELIVERY = Span(
    name="delivery", subject="c1", key="delivery:g", parent="", begin_ms=1_000, end_ms=1_005
)
CHAIN = Span(
    name="chain",
    subject="c1",
    key="chain:c1",
    parent="delivery:g",
    begin_ms=1_010,
    end_ms=9_000,
    attributes={"pool.verb": "review", "pool.usd": 0.5},
    failed=True,
)


async def test_what_two_processes_send_is_one_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    async with receiving() as receiver:
        environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url}
        monkeypatch.setenv(*next(iter(environment.items())))
        monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
        for span in (DELIVERY, CHAIN):
            async with open_traces(environment) as traces:
                assert isinstance(traces, OtlpTraces)
                traces.add(span)
    (delivery,), (chain,) = receiver.named("delivery"), receiver.named("chain")
    assert receiver.services == {"claude-pool-gh"}
    assert delivery.trace_id == chain.trace_id == trace_id("c1").to_bytes(16)
    assert delivery.span_id == chain.parent_span_id == span_id("c1", "delivery:g").to_bytes(8)
    assert delivery.parent_span_id == b""
    assert (chain.start_time_unix_nano, chain.end_time_unix_nano) == (1_010 * 10**6, 9_000 * 10**6)
    assert attributes(chain) == {"pool.verb": "review", "pool.usd": 0.5}
    assert (delivery.status.code, chain.status.code) == (0, 2)


@pytest.mark.parametrize("ratio", ["0", "1"])
async def test_a_trace_is_sampled_whole_or_not_at_all(
    monkeypatch: pytest.MonkeyPatch, ratio: str
) -> None:
    async with receiving() as receiver:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", f"{receiver.url}/v1/traces")
        monkeypatch.setenv("OTEL_TRACES_SAMPLER", "parentbased_traceidratio")
        monkeypatch.setenv("OTEL_TRACES_SAMPLER_ARG", ratio)
        traces = OtlpTraces({"OTEL_SERVICE_NAME": "mine"})
        traces.add(DELIVERY)
        traces.add(CHAIN)
        await asyncio.to_thread(traces.close)
    assert len(receiver.spans) == 2 * int(ratio)


def test_the_usual_variables_ask_for_traces_and_switch_them_off() -> None:
    both = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318"}
    assert endpoint_of(both) == "OTEL_EXPORTER_OTLP_ENDPOINT"
    own = {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://c/v1/traces"}
    assert endpoint_of(own) == "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"
    for nothing in ({}, {"OTEL_EXPORTER_OTLP_ENDPOINT": " "}):
        assert endpoint_of(nothing) == ""
    assert endpoint_of(both | {"OTEL_SDK_DISABLED": "true"}) == ""
    assert endpoint_of(both | {"OTEL_TRACES_EXPORTER": "none"}) == ""
    assert other_protocol(both) == ""
    assert other_protocol(both | {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}) == "grpc"


def test_a_server_without_the_variable_loads_no_opentelemetry() -> None:
    code = (
        "import asyncio, sys\n"
        "import claude_pool_gh.service.server.runtime\n"
        "from claude_pool_gh.service.monitoring.traces import open_traces\n"
        "async def main():\n"
        "    async with open_traces({}) as traces:\n"
        "        print(type(traces).__name__, 'opentelemetry.sdk' in sys.modules)\n"
        "asyncio.run(main())"
    )
    assert run(code) == "NoTraces False"


def test_a_server_without_the_extra_says_so_and_runs() -> None:
    code = (
        "import asyncio, logging, sys\n"
        "logging.basicConfig(format='%(message)s', stream=sys.stdout)\n"
        "from claude_pool_gh.service.monitoring.traces import open_traces\n"
        "async def main():\n"
        "    async with open_traces({'OTEL_EXPORTER_OTLP_ENDPOINT': 'http://127.0.0.1:9'}) as traces:\n"
        "        print(type(traces).__name__)\n"
        "asyncio.run(main())"
    )
    said = run(WITHOUT + code)
    assert "OTEL_EXPORTER_OTLP_ENDPOINT is set, and no traces are sent" in said
    assert "pip install '.[otel]' in a checkout" in said
    assert said.endswith("NoTraces")


def test_a_collector_that_is_away_holds_nothing_up(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Spans that are not taken are dropped, and nobody waits for them."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", f"{10 * PATIENCE}")
    with caplog.at_level(logging.CRITICAL):
        traces = OtlpTraces({}, close_seconds=0.1)
        assert ends(lambda: add_many(traces))
        assert ends(traces.close)


def test_a_collector_that_hangs_delays_a_stop_no_longer_than_it_may(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{port}")
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", f"{10 * PATIENCE}")
        traces = OtlpTraces({}, close_seconds=0.1)
        traces.add(CHAIN)
        assert ends(traces.close)
    assert "the last traces were not taken in time" in caplog.text


def add_many(traces: OtlpTraces) -> None:
    for _ in range(5_000):
        traces.add(CHAIN)


def ends(act: Callable[[], object]) -> bool:
    """Something ends by itself, in a thread that nothing waits for if it does not."""
    thread = threading.Thread(target=act, daemon=True)
    thread.start()
    thread.join(PATIENCE)
    return not thread.is_alive()


async def test_doctor_sends_a_request_without_spans(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_PROTOCOL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "2")
    assert "not asked for" in (await diagnosis()).found
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    away = await diagnosis()
    assert "does not take them" in away.found
    assert away.fix.startswith("check OTEL_EXPORTER_OTLP_ENDPOINT")
    async with receiving() as receiver:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.url)
        assert (await diagnosis()).fix == ""
        assert (len(receiver.bodies), receiver.spans) == (1, [])
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
    assert "set it to http/protobuf" in (await diagnosis()).fix


def test_doctor_names_the_extra_that_is_missing() -> None:
    code = (
        "import os\n"
        "os.environ['OTEL_EXPORTER_OTLP_ENDPOINT'] = 'http://127.0.0.1:9'\n"
        "from claude_pool_gh.service.doctor import doctor_traces\n"
        "print(doctor_traces.examine(None).fix)"
    )
    assert run(f"import claude_pool_gh.service.doctor.doctor\n{WITHOUT}{code}").startswith(
        "pip install '.[otel]' in a checkout; or remove OTEL_EXPORTER_OTLP_ENDPOINT"
    )


async def diagnosis() -> Diagnosis:
    return await asyncio.to_thread(doctor_traces.examine, Settings())


async def test_nothing_takes_spans_where_nobody_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    async with receiving() as receiver:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.url)
        async with open_traces({"OTEL_SDK_DISABLED": "true"}) as traces:
            assert isinstance(traces, NoTraces)
            traces.add(CHAIN)
    assert receiver.bodies == []


def run(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True
    )
    return done.stdout.strip()
