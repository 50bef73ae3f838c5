"""What is kept in refs, as bytes: nothing of one machine, no transcript, and nothing that breaks the next job."""

from __future__ import annotations

import json
import sqlite3
import zlib
from contextlib import closing
from hashlib import sha256
from pathlib import Path

import pytest

from claude_pool_gh.action.state import image, money
from claude_pool_gh.action.state.database_redactor import NOTE, DatabaseRedactor
from claude_pool_gh.action.state.image import Damaged, Header, Unreadable
from claude_pool_gh.action.state.money import Entry
from claude_pool_gh.conversation.secret_filter import without_secrets
from claude_pool_gh.findings import tables
from claude_pool_gh.findings.identity import fingerprint
from claude_pool_gh.github.effects.comment import Comment
from claude_pool_gh.pool.store import cap_uses
from claude_pool_gh.pool.store.tables import chains, reservations
from claude_pool_gh.reports.redact import Redactor
from claude_pool_gh.storage import Database, Transaction, migrations
from claude_pool_gh.storage.deflated import deflated
from claude_pool_gh.storage.owners import is_gone
from tests.findings.make import finding
from tests.pool.make import caps

HEADER = Header(repository=1, thread=2, run="r", until_ms=0)
TASK = (
    "INSERT INTO tasks (id, chain_id, step, shard, title, state, attempt, model, transcript, created_ms)"
    " VALUES ('t', 'c', 's', 0, 'x', 'completed', 1, 'm', '\"the agent said so\"', 0)"
)


@pytest.fixture
def database(tmp_path: Path) -> Path:
    file = tmp_path / "pool.sqlite"
    opened = Database.open(f"sqlite:///{file}")
    migrations.upgrade(opened.engine)
    opened.close()
    with closing(sqlite3.connect(file, isolation_level=None)) as rows:
        rows.execute("PRAGMA foreign_keys = OFF")
        rows.execute(TASK)
        rows.execute("INSERT INTO leases VALUES ('writer:0', 'host/1/1', 5)")
    return file


def test_a_database_comes_back_without_transcripts_and_leases(
    database: Path, tmp_path: Path
) -> None:
    whole = image.with_header(HEADER, image.pack(database, DatabaseRedactor()))
    header, body = image.parts(whole)
    assert header == HEADER
    there = tmp_path / "there.sqlite"
    image.unpack(body, there)
    with closing(sqlite3.connect(there)) as rows:
        assert rows.execute("SELECT id, transcript FROM tasks").fetchall() == [("t", None)]
        assert rows.execute("SELECT * FROM leases").fetchall() == []
    assert b"the agent said so" not in zlib.decompress(body)
    assert b"the agent said so" in database.read_bytes(), "the control: it was there"
    assert len(whole) < 40_000


SAID = {"repository": 1, "thread": 2, "run": "r", "until_ms": 0}


@pytest.mark.parametrize(
    "more", [{"format": 99}, {"schema": "9999"}, {"format": 2, "thread": "of another form"}]
)
def test_a_state_of_a_newer_version_is_left_as_it_is(more: dict[str, object]) -> None:
    with pytest.raises(Unreadable, match="newer"):
        image.parts(json.dumps(SAID | more).encode() + b"\n")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]\n",
        b'{"repository": 1}\n',
        b"[" * 200_000 + b"\n",
        b'{"a":' * 800 + b"\n",
        b"\xff\n",
        b"1e999\n",
    ]
    + [
        json.dumps(SAID | more).encode() + b"\n"
        for more in (
            {"format": "x"},
            {"schema": 5},
            {"until_ms": None},
            {"until_ms": float("inf")},
            {"until_ms": 10**30},
            {"thread": "2"},
            {"run": {"a": 1}},
            {"run": "r" * 3_000},
            {"repository": True},
            {"run": "\ud800"},
        )
    ],
)
def test_what_is_no_header_is_said_to_be_none(content: bytes) -> None:
    with pytest.raises(Damaged):
        image.parts(content)


def altered(database: Path, *statements: str) -> bytes:
    with closing(sqlite3.connect(database, isolation_level=None)) as rows:
        for statement in statements:
            rows.execute(statement)
    return zlib.compress(database.read_bytes())


@pytest.mark.parametrize(
    "body", [b"no deflated bytes", zlib.compress(b"no database"), zlib.compress(b"")]
)
def test_a_damaged_state_leaves_nothing(body: bytes, tmp_path: Path) -> None:
    with pytest.raises(Damaged):
        image.unpack(body, tmp_path / "there.sqlite")
    assert not (tmp_path / "there.sqlite").exists()


@pytest.mark.parametrize(
    ("statement", "kind"),
    [
        ("CREATE TRIGGER t AFTER UPDATE ON effects BEGIN DELETE FROM chains; END", Damaged),
        ("CREATE VIEW v AS SELECT 1", Damaged),
        ("DROP TABLE chains", Damaged),
        ("DELETE FROM alembic_version", Damaged),
        ("UPDATE alembic_version SET version_num = '9999'", Unreadable),
        ("INSERT INTO planned_steps VALUES ('a', x'00', 1)", Damaged),
        ('CREATE TABLE "a""; DROP TABLE chains; --" (a TEXT)', Damaged),
    ],
)
def test_a_database_that_is_none_of_ours_is_not_opened(
    database: Path, tmp_path: Path, statement: str, kind: type[Exception]
) -> None:
    image.unpack(altered(database), tmp_path / "control.sqlite")
    with pytest.raises(kind):
        image.unpack(altered(database, statement), tmp_path / "there.sqlite")
    assert not (tmp_path / "there.sqlite").exists()


@pytest.mark.parametrize(
    "more",
    [
        {"amount": float("inf")},
        {"amount": 10**30},
        {"amount": "5"},
        {"amount": -1},
        {"created_ms": float("inf")},
        {"created_ms": 2**52},  # it would count in every month
        {"user": {"a": 1}},
        {"id": "x" * 200},
        {"id": ""},
        {"thread": "\ud800"},
        {"repository": None},
    ],
)
def test_a_bad_line_of_the_ledger_costs_that_line(more: dict[str, object]) -> None:
    good = money.lines({"a": entry("a", 5)})
    bad = json.dumps(json.loads(good) | {"id": "b"} | more).encode() + b"\n"
    assert money.parse(bad + b"[" * 200_000 + b"\n" + b"[" * 1_999 + b"\n" + good, since_ms=0) == {
        "a": entry("a", 5)
    }


def test_entries_with_long_names_are_counted_each(database: Path) -> None:
    opened = Database.open(f"sqlite:///{database}")
    now = money.month_start_ms() + 1
    with opened.engine.begin() as tx:
        money.count_others(
            tx, {n: entry(n, 5, created_ms=now) for n in ("x" * 60 + "1", "x" * 60 + "2")}
        )
        assert len(tx.execute(reservations.select()).all()) == 2
    opened.close()


def entry(name: str, amount: int, created_ms: int = 100) -> Entry:
    return Entry(
        id=name, thread="1:7", user="9", repository="1", amount=amount, created_ms=created_ms
    )


def test_a_ledger_keeps_what_others_wrote_and_forgets_other_months() -> None:
    kept = money.lines({"a": entry("a", 5), "b": entry("b", 6, created_ms=10)})
    assert money.parse(kept + b"rubbish\n[]\n", since_ms=50) == {"a": entry("a", 5)}


def test_what_other_threads_have_spent_counts_here_and_is_not_kept(database: Path) -> None:
    opened = Database.open(f"sqlite:///{database}")
    now = money.month_start_ms() + 1
    with opened.engine.begin() as tx:
        for _ in range(2):
            money.count_others(tx, {"a": entry("a", 5_000_000, created_ms=now)})
        assert money.own(tx) == {}
    opened.close()
    with closing(sqlite3.connect(database)) as rows:
        assert rows.execute("SELECT settled FROM reservations").fetchall() == [(5_000_000,)]
    assert b"elsewhere:" not in zlib.decompress(image.pack(database, DatabaseRedactor()))


def test_no_two_lines_of_the_ledger_are_one_whatever_their_ids(database: Path) -> None:
    """Whoever may push can write it: two that met would end each job before it began."""
    long = "x" * 60
    ids = (long, sha256(long.encode()).hexdigest()[:48])
    opened = Database.open(f"sqlite:///{database}")
    now = money.month_start_ms() + 1
    with opened.engine.begin() as tx:
        money.count_others(tx, {id_: entry(id_, 5, created_ms=now) for id_ in ids})
    opened.close()
    with closing(sqlite3.connect(database)) as rows:
        assert rows.execute("SELECT settled FROM reservations").fetchall() == [(5,), (5,)]


def test_a_jobs_own_budget_is_the_same_whatever_other_threads_spend_meanwhile(
    database: Path,
) -> None:
    """Their reservations come and go while it runs, and whoever may push can write the ledger."""
    opened = Database.open(f"sqlite:///{database}")
    budget = 3_000_000
    limits = caps(thread=10**9, user_day=10**9, repository_month=10**9, pool=budget)
    account = {"conversation": "1:8", "thread": "1:8", "user": "9", "repository": "1"}
    now = money.month_start_ms() + 5
    with opened.engine.begin() as tx:
        for amount in (10**8, 0, 10**7):
            money.count_others(tx, {"a": entry("a", amount, created_ms=now)})
            left = {use.name: use.left for use in cap_uses.cap_uses(tx, account, limits, now)}
            assert left["pool and month"] == budget
            assert left["repository and month"] == 10**9 - amount
    opened.close()


GITHUB = "ghp_Ab3dE6gH9jK2mN5pQ8sT1vW4xY7zA0bC3dE6"
ANTHROPIC = "sk-ant-api03-Ab3dE6gH9jK2mN5pQ8sT1vW4xY7"
BLOCK = "-----BEGIN RSA PRIVATE KEY-----\nMIIEowIBAAKCAQEAq8Lw3Xv5\n-----END RSA PRIVATE KEY-----"
RANDOM = "Zq8Lw3Xv5Rt9Yb2Nm7Kp4Hd6Gf1Js0AcVe"
OWN = "hunter2-hunter2"
HELD = (GITHUB, ANTHROPIC, "MIIEowIBAAKCAQEAq8Lw3Xv5", RANDOM, OWN)
SPEECH = f"I saw {GITHUB},\n{ANTHROPIC}\nand {OWN}: {BLOCK}\nbeside\n{RANDOM}\nthere."


def full(file: Path) -> list[str]:
    """Put what nobody may read into every column that could take a text; the columns."""
    filled = []
    with closing(sqlite3.connect(file, isolation_level=None)) as rows:
        rows.execute("PRAGMA foreign_keys = OFF")
        names = [
            name for (name,) in rows.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        ]
        for table in set(names) - {"alembic_version", "tasks", "patches"}:
            values: dict[str, object] = {}
            for _, column, kind, _, _, place in rows.execute(
                f"PRAGMA table_info({table})"
            ).fetchall():
                texts = kind in ("JSON", "TEXT") or kind.startswith("VARCHAR")
                if texts and not place:
                    told = {"a": [SPEECH], SPEECH: 1} if kind == "JSON" else SPEECH
                    values[column] = json.dumps(told) if kind == "JSON" else told
                    filled.append(f"{table}.{column}")
                else:
                    values[column] = "k" if texts else 7
            columns, marks = ", ".join(f'"{name}"' for name in values), ", ".join("?" * len(values))
            insert = f"INSERT INTO {table} ({columns}) VALUES ({marks})"  # noqa: S608
            rows.execute(insert, tuple(values.values()))
        rows.execute(
            "UPDATE tasks SET prompt = ?1, asked = ?1, title = ?1, outcome = json_object('text', ?1)",
            (SPEECH,),
        )
        wanted = Comment(number=1, body=SPEECH).model_dump_json()
        rows.execute("UPDATE effects SET wanted = ?", (wanted,))
        patch = f"+key = {ANTHROPIC!r}\n".encode()
        rows.execute("INSERT INTO patches VALUES ('r', 'c', 'b', 'c', 'd', ?, 7)", (patch,))
    return filled


def test_what_posts_withhold_is_in_no_column_of_what_is_kept(
    database: Path, tmp_path: Path
) -> None:
    columns = full(database)
    assert {
        "commands.line",
        "commands.request",
        "chains.plan",
        "findings.stated",
        "context.value",
    } < set(columns)
    there = tmp_path / "there.sqlite"
    there.write_bytes(zlib.decompress(image.pack(database, DatabaseRedactor(Redactor((OWN,))))))
    with closing(sqlite3.connect(there)) as rows:
        raw = "\n".join(rows.iterdump())
        (task,) = rows.execute("SELECT prompt, asked, transcript FROM tasks").fetchall()
        (wanted,) = rows.execute("SELECT wanted FROM effects").fetchone()
    for secret in HELD:
        assert secret in database.read_bytes().decode(errors="replace"), "the control: it was there"
        assert secret not in raw
        assert secret.encode() not in there.read_bytes()
    assert task == (None, None, None)
    assert "This post was withheld" in wanted


@pytest.mark.parametrize(
    "stated",
    [
        {"title": f"{RANDOM} {'x' * (199 - len(RANDOM))}"},
        {"evidence": f"k = '{RANDOM}'\n" * 95},
        {"scenario": " ".join([RANDOM] * 17)},
        {"suggestion": f"k = '{RANDOM}'\n" * 95},
        {"path": f"{'a.' * 233}{RANDOM}"},
    ],
    ids=lambda stated: next(iter(stated)),
)
def test_a_finding_is_read_back_whatever_the_marks_in_it_are_longer_than(
    database: Path, tmp_path: Path, stated: dict[str, str]
) -> None:
    opened = Database.open(f"sqlite:///{database}")
    with opened.engine.begin() as tx:
        tables.remember(tx, "1:2", "c", "review", [finding(**stated)], 0)
    opened.close()
    image.unpack(image.pack(database, DatabaseRedactor()), tmp_path / "there.sqlite")
    opened = Database.open(f"sqlite:///{tmp_path / 'there.sqlite'}")
    with opened.engine.begin() as tx:
        (known,) = tables.every(tx, "1:2")
    opened.close()
    assert RANDOM not in known.finding.model_dump_json()
    assert known.mark == fingerprint(finding(**stated))


def test_what_posts_withhold_does_not_hide_in_deflated_text(database: Path) -> None:
    full(database)
    with closing(sqlite3.connect(database, isolation_level=None)) as rows:
        rows.create_function("deflated", 1, deflated)
        rows.execute("UPDATE steps SET result = deflated(result)")
        rows.execute("UPDATE planned_steps SET steps = deflated(steps)")
        assert rows.execute("SELECT typeof(steps) FROM planned_steps").fetchone() == ("blob",)
    kept = zlib.decompress(image.pack(database, DatabaseRedactor(Redactor((OWN,)))))
    database.write_bytes(kept)
    with closing(sqlite3.connect(database)) as rows:
        found = rows.execute("SELECT steps, result FROM planned_steps, steps").fetchone()
    assert all(isinstance(each, str) and "redacted" in each for each in found)
    assert not any(secret in each for secret in HELD for each in found)


@pytest.mark.parametrize(
    "written", ["{0}&#45;{1}", "{0}\\-{1}", "`{0}`-`{1}`", "once {0}-{1}, {0}&#45;{1}"]
)
def test_what_a_post_is_withheld_for_is_not_kept_in_another_form(written: str) -> None:
    redactor = Redactor(("S3cr3tV4lue-abcdefgh",))
    text = written.format("S3cr3tV4lue", "abcdefgh")
    withheld = without_secrets(redactor)(Comment(number=1, body=text))
    assert "withheld" in str(withheld.texts()), "the control: it is not posted"
    assert DatabaseRedactor(redactor).text(text) == NOTE
    once = DatabaseRedactor(redactor).text("it is S3cr3tV4lue-abcdefgh, see")
    assert once.startswith("it is [redacted ")


def test_what_holds_no_secret_is_kept_as_it_was(database: Path) -> None:
    said = (
        "See src/pool/store.py at 1f0c9a77b1d4e8f0a3c5d7e9b2f4a6c8d0e1f3a5, it\u00e9 says \\u0041."
    )
    with closing(sqlite3.connect(database, isolation_level=None)) as rows:
        rows.execute("UPDATE tasks SET title = ?1, outcome = json_object('text', ?1)", (said,))
        before = rows.execute("SELECT title, outcome FROM tasks").fetchall()
    database.write_bytes(zlib.decompress(image.pack(database, DatabaseRedactor())))
    with closing(sqlite3.connect(database)) as rows:
        assert rows.execute("SELECT title, outcome FROM tasks").fetchall() == before


def owed(
    tx: Transaction, name: str, state: str, *, reserved: int, settled: int | None, spent: int
) -> None:
    """A run with one finished request."""
    now = money.month_start_ms() + 5
    plan: dict[str, object] = {"verb": "", "context": {}}
    values = {"id": name, "pool": "main", "kind": "chain", "plan": plan, "created_ms": now}
    caps = {"task": 9, "chain": 9, "wider": [], "pool": None}
    tx.execute(chains.insert().values(**values, state=state, caps=caps))
    same = {"chain_id": name, "created_ms": now, "upper_bound": False}
    tx.execute(
        reservations.insert().values(
            id=name, level="chain", reserved=reserved, settled=settled, **same
        )
    )
    tx.execute(
        reservations.insert().values(
            id=f"{name}.1", level="request", reserved=spent, settled=spent, **same
        )
    )


def test_what_a_job_goes_on_with_counts_against_its_own_budget(database: Path) -> None:
    opened = Database.open(f"sqlite:///{database}")
    with opened.engine.begin() as tx:
        owed(tx, "done", "done", reserved=900, settled=500, spent=500)
        owed(tx, "first", "running", reserved=3_000, settled=None, spent=1_000)
        owed(tx, "second", "queued", reserved=3_000, settled=None, spent=0)
        owed(tx, "waits", "parked", reserved=70, settled=None, spent=70)
    opened.close()
    cap = image.charge(database, budget=2_200)
    assert cap == 500 + 1_000 + 70 + 2_200
    with closing(sqlite3.connect(database)) as rows:
        held = dict(
            rows.execute("SELECT id, reserved FROM reservations WHERE level = 'chain'").fetchall()
        )
        pools = dict(rows.execute("SELECT id, json_extract(caps, '$.pool') FROM chains").fetchall())
    assert held == {"done": 900, "first": 1_000 + 2_000, "second": 200, "waits": 70}
    assert pools == {"done": None, "first": cap, "second": cap, "waits": cap}


def test_what_another_machine_was_at_has_an_owner_that_is_gone(
    database: Path, tmp_path: Path
) -> None:
    opened = Database.open(f"sqlite:///{database}")
    with opened.engine.begin() as tx:
        owed(tx, "c", "running", reserved=9, settled=None, spent=0)
        tx.execute(chains.update().values(owner=(there := "host@0000.1/1/7")))
    opened.close()
    assert not is_gone(there), "the control"
    image.unpack(image.pack(database, DatabaseRedactor()), tmp_path / "there.sqlite")
    with closing(sqlite3.connect(tmp_path / "there.sqlite")) as rows:
        ((owner,),) = rows.execute("SELECT owner FROM chains").fetchall()
    assert is_gone(owner)


def test_a_pruned_runs_row_is_no_run_of_the_header(database: Path) -> None:
    """It has an id of its own form, which no header takes: the state could never be saved again."""
    opened = Database.open(f"sqlite:///{database}")
    with opened.engine.begin() as tx:
        owed(tx, "0a1b2c3d4e", "done", reserved=9, settled=9, spent=9)
        owed(tx, "pruned.bcc0e4145aee.20671", "done", reserved=9, settled=9, spent=9)
        tx.execute(chains.update().where(chains.c.id.like("pruned.%")).values(kind="pruned"))
    opened.close()
    assert image.runs_of(database) == ("0a1b2c3d4e",)
    Header(1, 7, "run", 0, audit="defects", runs=image.runs_of(database))
