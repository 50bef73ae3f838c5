"""The log as it is written: names, one line an event, and no flood."""

from __future__ import annotations

import io
import json
import logging
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from claude_pool_gh.service.log import logs
from claude_pool_gh.service.log.log_floods import LINES_A_MINUTE, SparingHandler
from claude_pool_gh.service.log.log_names import NAMES
from claude_pool_gh.storage import Database, Retries
from claude_pool_gh.terms import log_context

logger = logging.getLogger("tests.of.the.log")
PATIENT = {"where": "octo/shop#7", "verb": "review", "user": "mona"}


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture
def text() -> io.StringIO:
    stream = io.StringIO()
    logs.configure("text", "INFO", stream)
    return stream


def _raise(error: Exception) -> None:
    raise error


def test_a_line_that_knows_a_chain_or_a_run_names_thread_verb_and_user(text: io.StringIO) -> None:
    NAMES.remember("c0ffee", PATIENT)
    logger.info("left", extra={"action": "left", "chain": "c0ffee"})
    logger.info("ended", extra={"run": "c0ffee.find.0#1", "ms": 0, "where": "octo/shop"})
    logger.info("other", extra={"chain": "unknown"})
    logger.info("made", extra={"key": "review:c0ffee", "kind": "review"})
    chain, run, other, effect = text.getvalue().splitlines()
    assert chain.endswith(
        " INFO tests.of.the.log: left action=left where=octo/shop#7 chain=c0ffee verb=review user=mona"
    )
    assert "where=octo/shop#7 chain=c0ffee verb=review user=mona run=c0ffee.find.0#1 ms=0" in run
    assert "where=octo/shop#7 chain=c0ffee verb=review user=mona key=review:c0ffee" in effect
    assert other.endswith("other chain=unknown")


QUOTED = 'canary"of\\a word, für alle'
"""Written with other letters wherever a text is quoted."""


@pytest.mark.parametrize("form", ["text", "json"])
def test_no_line_holds_a_secret_wherever_it_stands_in_it(form: logs.Format) -> None:
    """A library names the address that it failed at; at DEBUG it shows what it sends."""
    key = "-----BEGIN RSA PRIVATE KEY-----\n" + "MIIEcanary0123456789abcdefghijKLMN\n" * 3
    stream = io.StringIO()
    logs.configure(form, "DEBUG", stream, secrets=("canary-webhook", "canary-proxy", key, QUOTED))
    logger.debug("asked with %s", {"secret": "canary-webhook", "token": f"ghs_{'canary' * 6}"})
    logger.info("key", extra={"said": key, "other": f"sk-ant-{'canary' * 3}"})
    logger.info("login %s", QUOTED, extra={"url": f"http://bot:{QUOTED}@10.0.0.1"})
    try:
        _raise(ValueError("url='http://bot:canary-proxy@10.0.0.1'"))
    except ValueError:
        logger.exception("failed")
    assert "canary" not in stream.getvalue()
    assert stream.getvalue().count("[redacted") >= 5
    if form == "json":
        assert [json.loads(line)["level"] for line in stream.getvalue().splitlines()] == [
            "DEBUG",
            "INFO",
            "INFO",
            "ERROR",
        ]


def test_a_line_in_the_course_of_a_command_has_its_names(text: io.StringIO) -> None:
    with log_context.named(where="octo/shop#7", user="mona"):
        logger.warning("not read")
    logger.warning("after")
    inside, after = text.getvalue().splitlines()
    assert inside.endswith("not read where=octo/shop#7 user=mona")
    assert after.endswith(": after")


def test_others_text_is_one_line_and_moves_no_terminal(text: io.StringIO) -> None:
    logger.error("it said %s", "a\x1b[31m\nb", extra={"reason": "x\r\ny \x07", "empty": ""})
    (line,) = text.getvalue().splitlines()
    assert line.endswith('it said a [31m b reason="x y"')


def test_json_is_one_object_a_line_with_a_traceback_inside() -> None:
    stream = io.StringIO()
    logs.configure("json", "INFO", stream)
    try:
        _raise(RuntimeError("broken"))
    except RuntimeError:
        logger.exception("failed", extra={"ms": 12, "path": Path("/x"), "by": "x\r\ny \x07"})
    (line,) = stream.getvalue().splitlines()
    told = json.loads(line)
    assert (told["level"], told["message"], told["ms"], told["path"]) == (
        "ERROR",
        "failed",
        12,
        "/x",
    )
    assert "RuntimeError: broken" in told["traceback"]
    assert told["by"] == "x y", "what others wrote is one line in whatever reads it"


async def test_a_locked_or_missing_database_is_one_line_with_what_to_do(
    text: io.StringIO, tmp_path: Path
) -> None:
    file = tmp_path / "pool.sqlite"
    database = Database.open(f"sqlite:///{file}", retries=Retries(seconds=0))
    with database.engine.connect() as raw:
        raw.exec_driver_sql("PRAGMA user_version")
    sa.event.listen(database.engine, "connect", lambda raw, _: raw.execute("PRAGMA busy_timeout=1"))
    database.engine.dispose()
    holder = sqlite3.connect(file, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    try:
        await database.transact(lambda tx: tx.exec_driver_sql("CREATE TABLE t (a)").close())
    except sa.exc.OperationalError:
        logger.exception("dispatch failed", extra={"action": "dispatch_failed"})
    else:
        pytest.fail("the database was not locked")
    finally:
        holder.close()
        database.close()
    (line,) = text.getvalue().splitlines()
    assert 'error="database is locked" do="check that the database runs' in line
    try:
        _raise(OSError(28, "No space left on device"))
    except OSError:
        logger.exception("not written")
    assert 'do="free some space on the disk' in text.getvalue().splitlines()[1]


def test_what_is_tried_again_and_again_is_told_a_few_times_a_minute_and_counted() -> None:
    now = [0.0]
    stream = io.StringIO()
    handler = SparingHandler(stream, lambda: now[0])
    handler.setFormatter(logging.Formatter("%(message)s %(left_out)s", defaults={"left_out": ""}))
    logging.basicConfig(handlers=[handler], level="INFO", force=True)
    for number in range(1_000):
        logger.error("dispatch failed")
        logger.warning("run ended", extra={"action": "run_ended", "run": str(number)})
    logger.error("another thing")
    lines = stream.getvalue().splitlines()
    assert len([line for line in lines if "dispatch failed" in line]) == LINES_A_MINUTE
    assert len([line for line in lines if "run ended" in line]) == 1_000, "each of them is news"
    assert len([line for line in lines if "another thing" in line]) == 1
    now[0] = 61.0
    logger.info("later")
    *_, summary, later = stream.getvalue().splitlines()
    assert summary == f"lines of one kind were left out {1_000 - LINES_A_MINUTE}"
    assert later.strip() == "later"
    logger.error("dispatch failed")
    assert stream.getvalue().splitlines()[-1].strip() == "dispatch failed"


@pytest.mark.parametrize(("more", "lines"), [([], 1), ([ValueError("of our own")], None)])
def test_an_outage_of_several_at_once_is_one_line_unless_one_of_them_is_a_fault_of_ours(
    text: io.StringIO, more: list[Exception], lines: int | None
) -> None:
    away = [OSError(28, "No space left on device"), OSError(28, "No space left on device")]
    try:
        _raise(ExceptionGroup("of two", [ExceptionGroup("inside", away), *more]))
    except ExceptionGroup:
        logger.exception("commands not handled")
    written = text.getvalue().splitlines()
    assert ('do="free some space on the disk' in written[0]) is (lines == 1)
    assert (len(written) == 1) is (lines == 1)


def test_a_full_disk_that_stops_every_part_is_told_once_a_minute() -> None:
    now, stream = [0.0], io.StringIO()
    logging.basicConfig(handlers=[SparingHandler(stream, lambda: now[0])], level="INFO", force=True)
    for part in range(100):
        said = sqlite3.OperationalError("database or disk is full")
        said.sqlite_errorcode = sqlite3.SQLITE_FULL
        full = sa.exc.OperationalError("", {}, said)
        try:
            _raise(OSError(28, "No space left on device") if part % 2 else full)
        except (OSError, sa.exc.OperationalError):
            logging.getLogger(f"part{part}").exception("part %d has failed", part)
    assert stream.getvalue().count("has failed") == 1
    now[0] = 61.0
    logger.error("of the program's own")
    assert "lines of one kind were left out" in stream.getvalue()
