"""How a run with the real CLI ends, for every way in which the model's API or the CLI can behave."""

from __future__ import annotations

import asyncio
import re
import sys
import time
from pathlib import Path

import pytest

from claude_pool_gh.agent import claude, process
from claude_pool_gh.pool.model.ports import AgentChannel, Ending
from claude_pool_gh.rehearsal.model import (
    Answer,
    Fail,
    ModelRequest,
    Raw,
    Reply,
    Text,
    ToolUse,
    Usage,
    say,
    use,
)
from tests.agent.bench import REAL_KEY, Bench, Run, a_task, calls, done, one_by_one


@pytest.fixture
def one_retry(monkeypatch: pytest.MonkeyPatch) -> None:
    """The CLI asks twice, not four times: its pauses grow to seconds."""
    monkeypatch.setitem(claude._QUIET, "CLAUDE_CODE_MAX_RETRIES", "1")


def exact(run: Run, bench: Bench) -> bool:
    return run.cost == bench.model.bill.total and not run.bound


async def test_a_typed_result_completes_a_run(bench: Bench) -> None:
    script = calls(("Read", {"file_path": "a.txt"}), ("Grep", {"pattern": "hello"}))
    run = await bench.run(script)
    outcome = run.outcome
    assert (outcome.ending, outcome.structured, outcome.reason) == (
        Ending.completed,
        {"answer": "42"},
        "",
    )
    assert outcome.looked_at == {"files": ["a.txt"], "searches": ["hello"], "denied": []}
    assert [entry["what"] for entry in outcome.transcript][:2] == ["uses", "gets"]
    assert exact(run, bench)
    assert 0 < run.cost < run.granted


async def test_prose_completes_a_run_that_asked_for_no_form(bench: Bench) -> None:
    run = await bench.run(one_by_one(say("It is red-canary.")), schema=None)
    assert (run.outcome.ending, run.outcome.text) == (Ending.completed, "It is ***.")
    assert run.outcome.structured is None


async def test_a_typed_result_is_redacted_too(bench: Bench) -> None:
    run = await bench.run(one_by_one(done("the red-canary sings")))
    assert run.outcome.structured == {"answer": "the *** sings"}
    assert "red-canary" not in str(run.outcome)


async def test_prose_instead_of_a_typed_result_fails(bench: Bench) -> None:
    run = await bench.run(one_by_one(say("All is well, nothing found!")))
    assert run.outcome.ending is Ending.failed
    assert "form asked for" in run.outcome.reason
    assert run.outcome.structured is None
    assert len(bench.model.requests) > 1, "it was reminded once"
    assert exact(run, bench)


async def test_a_result_of_another_form_never_completes(bench: Bench) -> None:
    run = await bench.run(one_by_one(use("StructuredOutput", {"verdict": 1})))
    assert run.outcome.ending is Ending.failed
    assert run.outcome.structured is None
    assert exact(run, bench)


async def test_an_empty_answer_never_completes(bench: Bench) -> None:
    run = await bench.run(one_by_one(Answer(())))
    assert run.outcome.ending is Ending.failed
    assert exact(run, bench)


async def test_nonsense_never_completes(bench: Bench) -> None:
    nonsense = Answer((ToolUse("Summon", {"demon": "\x00\ud83d"}), Text("\u202e\x1b[31m" * 100)))
    run = await bench.run(one_by_one(nonsense, nonsense, say("\ufffd")))
    assert run.outcome.ending is Ending.failed
    assert exact(run, bench)


async def test_ten_megabytes_end_at_the_cap(bench: Bench) -> None:
    run = await bench.run(one_by_one(say("x" * 10_000_000)), most=2_000_000)
    assert run.outcome.ending is Ending.out_of_budget
    assert len(str(run.outcome.transcript)) < 100_000
    assert exact(run, bench)
    assert run.cost <= run.granted


async def test_a_budget_refusal_keeps_what_was_spent(bench: Bench) -> None:
    run = await bench.run(one_by_one(use("Read", {"file_path": "a.txt"})), most=60_000)
    assert run.outcome.ending is Ending.out_of_budget
    assert "money" in run.outcome.reason
    assert exact(run, bench)
    assert 0 < run.cost <= 60_000
    assert run.seconds < 20


async def test_a_run_without_money_asks_nothing(bench: Bench) -> None:
    run = await bench.run(most=1_000)
    assert (run.outcome.ending, run.cost) == (Ending.out_of_budget, 0)
    assert bench.model.requests == []


async def test_turns_run_out(bench: Bench) -> None:
    run = await bench.run(one_by_one(use("Read", {"file_path": "a.txt"})), turns=3)
    assert run.outcome.ending is Ending.out_of_turns
    assert len(bench.model.requests) == 3
    assert exact(run, bench)


async def test_a_refused_key_ends_at_once_and_is_ours(bench: Bench) -> None:
    run = await bench.run(one_by_one(Fail(401, "authentication_error", "invalid x-api-key")))
    assert run.outcome.ending is Ending.failed
    assert "server's key" in run.outcome.reason
    assert REAL_KEY not in run.outcome.reason
    assert not run.outcome.retryable
    assert len(bench.model.requests) == 1
    assert (run.cost, run.bound) == (0, False)


async def test_a_short_rate_limit_is_waited_out(bench: Bench) -> None:
    limit = Fail(429, "rate_limit_error", "slow down", {"retry-after": "1"})
    run = await bench.run(one_by_one(limit, done()))
    assert run.outcome.ending is Ending.completed
    assert len(bench.model.requests) == 2
    assert exact(run, bench)


@pytest.mark.usefixtures("one_retry")
async def test_a_short_rate_limit_for_ever_is_a_quota(bench: Bench) -> None:
    run = await bench.run(
        one_by_one(Fail(429, "rate_limit_error", "slow down", {"retry-after": "0"}))
    )
    assert run.outcome.ending is Ending.quota
    assert run.cost == 0


async def test_a_long_rate_limit_is_a_quota_at_once(bench: Bench) -> None:
    run = await bench.run(one_by_one(Fail(429, "rate_limit_error", "x", {"retry-after": "3600"})))
    assert run.outcome.ending is Ending.quota
    until = re.search(r"asks to wait until (\d\d):(\d\d) UTC", run.outcome.reason)
    assert until is not None, run.outcome.reason
    wait = (int(until[1]) * 60 + int(until[2]) - time.time() / 60) % 1440
    assert 55 <= wait <= 61, "an hour from now"
    assert len(bench.model.requests) == 1


async def test_a_quota_of_days_says_the_day(bench: Bench) -> None:
    run = await bench.run(one_by_one(Fail(429, "rate_limit_error", "x", {"retry-after": "172800"})))
    assert re.search(r"asks to wait until \d\d [A-Z][a-z]+, \d\d:\d\d UTC", run.outcome.reason)


@pytest.mark.usefixtures("one_retry")
@pytest.mark.parametrize(("status", "kind"), [(500, "api_error"), (529, "overloaded_error")])
async def test_a_broken_api_fails_and_may_be_tried_again(
    bench: Bench, status: int, kind: str
) -> None:
    run = await bench.run(one_by_one(Fail(status, kind)))
    assert run.outcome.ending is Ending.failed
    assert run.outcome.retryable
    assert str(status) in run.outcome.reason
    assert run.cost == 0


async def test_a_passing_fault_is_got_over(bench: Bench) -> None:
    run = await bench.run(one_by_one(Fail(529, "overloaded_error"), done()))
    assert run.outcome.ending is Ending.completed
    assert exact(run, bench)


async def test_a_malformed_request_fails_for_good(bench: Bench) -> None:
    run = await bench.run(one_by_one(Fail(400, "invalid_request_error", "no such thing")))
    assert run.outcome.ending is Ending.failed
    assert not run.outcome.retryable


@pytest.mark.usefixtures("one_retry")
async def test_an_html_answer_never_completes_and_costs_nothing(bench: Bench) -> None:
    run = await bench.run(one_by_one(Raw(b"<html>502 Bad Gateway</html>")))
    assert run.outcome.ending is Ending.failed
    assert (
        run.outcome.reason
        == "the model's API: it answers with text/html, which is no answer of that API"
    )
    assert (run.cost, run.bound) == (0, False)
    assert "127.0.0.1" not in f"{run.outcome.reason} {run.outcome.text}"


@pytest.mark.parametrize(
    "garbage",
    [
        b"data: {not json\n\ndata: []\n\n\xff\xfe\x00\n\n",
        b'data: {"type":"message_start","message":' + b"[" * 100_000 + b"\n\n",
        b'data: {"type":"message_delta","usage":{}}\n\ndata: {"type":"message_stop"}\n\n',
        b'data: {"type":"message_delta","usage":{"output_tokens":' + b"9" * 30 + b"}}\n\n",
        b"",
    ],
    ids=["broken", "deep", "without counts", "half of the counts", "empty"],
)
async def test_a_garbage_stream_never_completes(bench: Bench, garbage: bytes) -> None:
    run = await bench.run(
        one_by_one(Raw(garbage, content_type="text/event-stream")), idle_seconds=15
    )
    assert run.outcome.ending in (Ending.failed, Ending.out_of_budget)
    assert run.seconds < 40, "nobody waited for an answer that was lost"
    assert run.bound
    assert 0 < run.cost <= run.granted


async def test_a_count_beyond_all_measure_counts_as_unknown(bench: Bench) -> None:
    start = (
        b'data: {"type":"message_start","message":{"usage":{"input_tokens":'
        + b"9" * 30
        + b"}}}\n\n"
    )
    end = b'data: {"type":"message_delta","usage":{"output_tokens":1}}\n\n'
    run = await bench.run(
        one_by_one(Raw(start + end, content_type="text/event-stream")), idle_seconds=15
    )
    assert run.outcome.ending is not Ending.completed
    assert run.seconds < 40
    assert run.bound
    assert 0 < run.cost <= run.granted


async def test_a_cut_in_mid_stream_counts_what_was_reported_and_the_most_of_the_rest(
    bench: Bench,
) -> None:
    read = Usage(input_tokens=2_000, output_tokens=10)
    cut = Answer((Text("half"), Text("never")), usage=read, cut_after=1)
    run = await bench.run(one_by_one(cut, done()))
    assert run.bound
    assert bench.model.bill.total <= run.cost <= run.granted
    rows = await bench.requests_in_ledger(f"{bench.chain}.find.{bench.runs}")
    first = min(rows, key=lambda row: row.created_ms)
    most = int(bench.model.requests[0].body["max_tokens"]) * 10
    assert (first.settled, first.upper_bound) == (2_000 * 2 + most, True)
    assert first.settled < first.reserved


async def test_a_stall_is_an_idle_timeout(bench: Bench) -> None:
    stall = Answer((Text("half"), Text("never")), stall_after=1)
    run = await bench.run(one_by_one(stall), idle_seconds=2)
    assert run.outcome.ending is Ending.timed_out
    assert "nothing was heard of it for 2 seconds" in run.outcome.reason
    assert not run.outcome.retryable, "it has cost what a whole run costs"
    assert run.bound
    assert bench.model.bill.total <= run.cost <= run.granted
    assert run.seconds < 40


async def test_a_slow_answer_is_a_wall_timeout(bench: Bench) -> None:
    run = await bench.run(one_by_one(say("slow", delay=30)), wall_seconds=2)
    assert run.outcome.ending is Ending.timed_out
    assert "longer than 2 seconds" in run.outcome.reason
    assert run.seconds < 40


async def test_a_run_that_makes_progress_is_not_idle(bench: Bench) -> None:
    slow = Answer(tuple(Text(f"part {n}") for n in range(6)), pause=0.5)
    run = await bench.run(one_by_one(slow), idle_seconds=2, schema=None)
    assert run.outcome.ending is Ending.completed


GENTLE = (
    "signal.signal(signal.SIGTERM, lambda *_: os._exit(0))"  # process 1 would not hear it otherwise
)


def script_file(folder: Path, text: str) -> Path:
    path = folder / "fake-cli"
    path.write_text(f"#!{sys.executable} -IS\nimport os, signal, sys, time\n{GENTLE}\n{text}\n")
    path.chmod(0o700)
    return path


async def test_a_cli_that_never_starts_is_given_up(bench: Bench, short_folder: Path) -> None:
    agent = bench.agent(cli=script_file(short_folder, "time.sleep(100)"), start_seconds=1.0)
    run = await bench.run(agent=agent)
    assert run.outcome.ending is Ending.timed_out
    assert "did not start within 1 second" in run.outcome.reason
    assert (run.cost, run.bound) == (0, False)
    assert run.seconds < 40


async def test_a_wall_timeout_during_the_start_is_called_that(
    bench: Bench, short_folder: Path
) -> None:
    run = await bench.run(
        agent=bench.agent(cli=script_file(short_folder, "time.sleep(100)")), wall_seconds=1
    )
    assert run.outcome.ending is Ending.timed_out
    assert "longer than 1 second" in run.outcome.reason


async def test_a_cli_that_ends_in_silence_is_not_waited_for(
    bench: Bench, short_folder: Path
) -> None:
    run = await bench.run(agent=bench.agent(cli=script_file(short_folder, "sys.exit(0)")))
    assert run.outcome.ending is Ending.failed
    assert "ended before it had started" in run.outcome.reason
    assert run.seconds < 8


async def test_a_cli_that_exits_at_the_start_says_why(bench: Bench, short_folder: Path) -> None:
    agent = bench.agent(cli=script_file(short_folder, "sys.exit('no red-canary today')"))
    run = await bench.run(agent=agent)
    assert run.outcome.ending is Ending.failed
    assert "no *** today" in run.outcome.reason
    assert run.seconds < 40


@pytest.mark.parametrize(
    "speech",
    [
        "print('hello, this is no JSON', flush=True); time.sleep(100)",
        "sys.stdout.buffer.write(b'\\xff\\xfe{}\\n'); sys.stdout.flush(); time.sleep(100)",
        "print('{' * 1_000_000, flush=True); time.sleep(100)",
        '[print(\'{"type":"unheard of"}\', flush=True) or time.sleep(0.1) for _ in range(1000)]',
        "os.close(1); time.sleep(100)",
    ],
    ids=["prose", "bytes", "one long line", "dribble", "closed"],
)
async def test_a_cli_that_speaks_garbage_is_given_up(
    bench: Bench, short_folder: Path, speech: str
) -> None:
    run = await bench.run(
        agent=bench.agent(cli=script_file(short_folder, speech), start_seconds=0.7)
    )
    assert run.outcome.ending in (Ending.failed, Ending.timed_out)
    assert run.outcome.reason
    assert run.cost == 0
    assert run.seconds < 40


async def test_a_missing_cli_is_a_failure_not_an_exception(
    bench: Bench, short_folder: Path
) -> None:
    run = await bench.run(agent=bench.agent(cli=short_folder / "nothing"))
    assert run.outcome.ending is Ending.failed
    assert "No such file" in run.outcome.reason


async def test_a_wheel_without_a_cli_is_a_failure_not_an_exception(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none() -> Path:
        raise FileNotFoundError("this platform's claude-agent-sdk carries no Claude CLI")

    monkeypatch.setattr(process, "bundled_cli", none)
    run = await bench.run()
    assert run.outcome.ending is Ending.failed
    assert "carries no Claude CLI" in run.outcome.reason
    assert not run.outcome.retryable


async def test_runs_side_by_side_do_not_mix(bench: Bench) -> None:
    def script(request: ModelRequest) -> Reply:
        return done(request.text.partition("number ")[2][:1])

    bench.model.script = script
    names = [await bench.grant(300_000) for _ in range(3)]

    agent = bench.agent()
    outcomes = await asyncio.gather(
        *(
            agent.run(a_task(name, prompt=f"number {i}"), bench.folder, AgentChannel())
            for i, name in enumerate(names)
        )
    )
    assert [outcome.structured for outcome in outcomes] == [{"answer": str(i)} for i in range(3)]
    total = sum([(await bench.settle(name))[0] for name in names])
    assert total == bench.model.bill.total
