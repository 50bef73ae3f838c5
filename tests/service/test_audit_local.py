"""`claude-pool-gh audit PATH`: real git and the real CLI against a scripted model, without any GitHub."""

from __future__ import annotations

import asyncio
import errno
import json
import signal
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path

import jsonschema
import pytest

from claude_pool_gh.pool.store import chains
from claude_pool_gh.rehearsal.model import Fail, Reply, ScriptedModel
from claude_pool_gh.service.audit import carrying, local, reports
from claude_pool_gh.service.audit.options import Form
from claude_pool_gh.service.audit.refused import AuditRefused
from claude_pool_gh.storage import Database
from tests.acceptance.auditor import Auditor, files_of
from tests.patience import until
from tests.service import auditing
from tests.service.auditing import BY_FOLDER, CONFIG, FILES, PRICES, ROW, TOTAL, commit, options

SARIF = Path(__file__).parents[1] / "audits" / "data" / "sarif-schema-2.1.0.json"
Capture = pytest.CaptureFixture[str]


@pytest.fixture
async def model() -> AsyncIterator[ScriptedModel]:
    async with ScriptedModel.start(Auditor()) as model:
        yield model


@pytest.fixture
def auditor(model: ScriptedModel) -> Auditor:
    """The script of the model."""
    script = model.script
    assert isinstance(script, Auditor)
    return script


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A checkout with two faults, whose parts are its folders."""
    folder = tmp_path / "shop"
    commit(folder, FILES | {CONFIG: BY_FOLDER})
    return folder


async def test_a_checkout_is_audited_without_github_and_the_next_run_knows_what_was_found(
    model: ScriptedModel, auditor: Auditor, shop: Path, tmp_path: Path, capsys: Capture
) -> None:
    auditor.claims, auditor.verdicts = (TOTAL, ROW), {ROW["title"]: "refuted"}
    out = tmp_path / "out"
    assert await local.audit(options(model, tmp_path, as_json=False), shop) == 1
    told = capsys.readouterr()
    assert "1 finding open: 1 high" in told.out
    assert "shop/prices.py:2  The total is a sum (new)" in told.out
    assert ROW["title"] not in told.out, "what is refuted is counted, not shown"
    assert "3 of 3 parts read" in told.err
    assert {each.name for each in out.iterdir()} == {
        "report.md",
        "report.json",
        "report.html",
        "report.sarif",
    }
    report = json.loads((out / "report.json").read_text())
    assert (report["completeness"], report["not_listed"]["refuted"]) == ("complete", 1)
    assert "The total is a sum" in (out / "report.md").read_text()
    assert "The total is a sum" in (out / "report.html").read_text()
    sarif = json.loads((out / "report.sarif").read_text())
    jsonschema.validate(sarif, json.loads(SARIF.read_text()))
    (result,) = sarif["runs"][0]["results"]
    assert result["ruleId"] == "defects/wrong-result"

    assert await local.audit(options(model, tmp_path), shop) == 1
    again = json.loads(capsys.readouterr().out)
    assert [each["state"] for each in again["findings"]] == ["open"]
    asked = [each for each in auditor.asked("verify-audit") if TOTAL["title"] in each.text]
    assert len(asked) == 1, "nothing is verified twice"

    commit(shop, {"shop/prices.py": PRICES.replace("+", "*")})
    auditor.claims, auditor.verdicts = (), {TOTAL["title"]: "fixed"}
    third = options(model, tmp_path, out=tmp_path / "third", forms=(Form.json,))
    assert await local.audit(third, shop) == 0
    assert [each.name for each in (tmp_path / "third").iterdir()] == ["report.json"]
    fixed = json.loads((tmp_path / "third" / "report.json").read_text())
    assert [each["state"] for each in fixed["findings"]] == ["fixed"]
    assert fixed["clean"]


async def test_a_plan_needs_no_key_stores_nothing_and_says_what_would_be_read(
    shop: Path, tmp_path: Path, capsys: Capture
) -> None:
    asked = options(None, tmp_path, plan_only=True, as_json=False, only=("shop",))
    assert await local.audit(asked, shop) == 0
    told = capsys.readouterr().out
    assert "shop at" in told
    assert "1 file in 1 part" in told
    assert "from published prices" in told
    assert not (tmp_path / "state").exists()
    assert not (tmp_path / "out").exists()
    reports_of_before = shop / "reports" / "of"
    for unseen in (reports_of_before, shop / "draft"):
        unseen.mkdir(parents=True)
        (unseen / "a.txt").write_text("a\n")
    own = {"out": reports_of_before.parent}
    assert await local.audit(options(None, tmp_path, plan_only=True, **own), shop) == 0
    told = capsys.readouterr().err
    assert "1 uncommitted file is not seen by agents, who work on copies" in told
    assert told.rstrip().endswith(": draft/"), "and not what the run before has written"
    tight = options(None, tmp_path, plan_only=True, budget_usd=0.000001)
    assert await local.audit(tight, shop) == 0
    plan = json.loads(capsys.readouterr().out)
    assert (len(plan["shards"]), len(plan["beyond"])) == (1, 2), "at least one is always reached"
    with pytest.raises(AuditRefused, match="no file that can be read matches") as refused:
        await local.audit(options(None, tmp_path, plan_only=True, only=("nowhere",)), shop)
    assert refused.value.exit_code == 2


async def test_without_a_key_nothing_is_begun_that_would_hold_the_next_run(
    model: ScriptedModel, shop: Path, tmp_path: Path, capsys: Capture
) -> None:
    keyless = {"ANTHROPIC_API_KEY": "", "ANTHROPIC_BASE_URL": model.url}
    with pytest.raises(AuditRefused, match="set ANTHROPIC_API_KEY"):
        await local.audit(options(None, tmp_path, settings=keyless), shop)
    assert await local.audit(options(model, tmp_path, only=("shop",)), shop) == 0
    assert "going on with" not in capsys.readouterr().err


async def test_what_was_read_is_not_read_again_whatever_became_of_the_rest_and_what_is_open_still_counts(
    model: ScriptedModel, auditor: Auditor, shop: Path, tmp_path: Path, capsys: Capture
) -> None:
    commit(shop, {CONFIG: f"{BY_FOLDER}    when: changed\n"})
    auditor.claims = (TOTAL,)
    auditor.instead = lambda files: (
        Fail(400, "invalid_request_error", "refused") if "store/orders.py" in files else None
    )
    assert await local.audit(options(model, tmp_path), shop) == 2
    assert "claude-pool-gh audit" in json.loads(capsys.readouterr().out)["resume"]
    auditor.instead = lambda _: None
    commit(shop, {"shop/more.py": "x = 1\n"})
    assert await local.audit(options(model, tmp_path), shop) == 1
    told = json.loads(capsys.readouterr().out)
    assert told["coverage"]["files_read"] == 2, "the part that failed, and the file that is new"
    assert [each["state"] for each in told["findings"]] == ["open"]
    assert _asked(auditor, "shop/prices.py") == 1
    before = len(model.requests)
    assert await local.audit(options(model, tmp_path), shop) == 1
    assert len(model.requests) == before
    assert "has changed since earlier runs have read it; open from earlier runs: 1 high" in (
        capsys.readouterr().err
    )
    with pytest.raises(AuditRefused, match="would be read: nothing has changed since earlier runs"):
        await local.audit(options(model, tmp_path, plan_only=True), shop)


async def test_a_part_that_fails_is_not_covered_and_costs_only_itself(
    model: ScriptedModel, auditor: Auditor, shop: Path, tmp_path: Path, capsys: Capture
) -> None:
    auditor.claims = (TOTAL, ROW)
    auditor.instead = lambda files: (
        Fail(400, "invalid_request_error", "refused") if "store/orders.py" in files else None
    )
    assert await local.audit(options(model, tmp_path, as_json=False), shop) == 2
    assert "PARTLY AUDITED: 1 file not read; 1 finding open" in capsys.readouterr().out
    auditor.instead = lambda _: None
    inside = options(model, tmp_path, state=tmp_path / "other")
    assert await local.audit(inside, shop / "store") == 1
    told = json.loads(capsys.readouterr().out)
    assert [each["title"] for each in told["findings"]] == [ROW["title"]], "only what is in it"
    assert told["coverage"]["files_read"] == 1


async def test_a_run_whose_reports_were_not_written_is_told_by_the_next_command_and_not_paid_again(
    model: ScriptedModel,
    auditor: Auditor,
    shop: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: Capture,
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    auditor.claims = (TOTAL,)
    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(reports, "write", full)
        with pytest.raises(OSError, match="No space left"):
            await local.audit(options(model, tmp_path), shop)
    before = len(model.requests)
    assert await local.audit(options(model, tmp_path), shop) == 1
    told = capsys.readouterr()
    assert len(model.requests) == before
    assert "which ended before they were written" in told.err
    assert [each["state"] for each in json.loads(told.out)["findings"]] == ["new"]
    assert await local.audit(options(model, tmp_path), shop) == 1
    assert len(model.requests) > before, "once told, the next one is another run"


BAD: list[tuple[Callable[[Path], object], dict[str, object], str]] = [
    (lambda _: None, {}, "is in no git repository with a commit"),
    (lambda f: auditing.git(f, "init", "-q"), {}, "is in no git repository with a commit"),
    (lambda f: commit(f, FILES), {"audit": "defect"}, "did you mean `defects`?"),
    (lambda f: commit(f, {CONFIG: "audit: 1\n", "a": "b"}), {}, "claude-pool.yml: line 1"),
    (lambda f: commit(f, FILES), {"state": "work/state"}, "name another folder with --state-dir"),
    (lambda f: commit(f, FILES), {"out": "work/a.txt/out"}, "name another --out"),
]


@pytest.mark.parametrize(("make", "given", "words"), BAD)
async def test_what_cannot_be_audited_is_told_with_what_to_do(
    tmp_path: Path, make: Callable[[Path], object], given: dict[str, object], words: str
) -> None:
    folder = tmp_path / "work"
    folder.mkdir()
    (folder / "a.txt").write_text("a\n")
    make(folder)
    paths = {name: tmp_path / str(given[name]) for name in ("state", "out") if name in given}
    with pytest.raises(AuditRefused) as refused:
        await local.audit(options(None, tmp_path, **(given | paths)), folder)
    assert words in refused.value.message
    assert refused.value.exit_code == 2


def _silent(path: str) -> Callable[[Sequence[str]], Reply | None]:
    """The agent of the part with this file gets no answer within the length of a test."""
    return lambda files: auditing.SILENT if path in files else None


def _asked(auditor: Auditor, path: str) -> int:
    """The number of agents that were given the part with this file."""
    return sum(path in files_of(each) for each in auditor.asked("audit-defects"))


@pytest.mark.usefixtures("interruptible")
async def test_ctrl_c_keeps_what_was_found_and_the_next_run_goes_on_with_the_rest(
    model: ScriptedModel, auditor: Auditor, shop: Path, tmp_path: Path, capsys: Capture
) -> None:
    auditor.claims = (TOTAL, ROW)
    auditor.instead = _silent("store/orders.py")
    places = ("--state-dir", str(tmp_path / "state"), "--out", str(tmp_path / "out"))
    run = await auditing.start(model, shop, "--slots", "1", *places)
    await until(lambda: _asked(auditor, "store/orders.py"))
    assert run.returncode is None
    run.send_signal(signal.SIGINT)
    stopped = await auditing.ended(run)
    assert stopped.code == 130, stopped
    assert "PARTLY AUDITED" in stopped.out
    assert "The total is a sum (not verified: the audit was interrupted)" in stopped.out
    assert "To go on with what is left: claude-pool-gh audit" in stopped.out
    assert (tmp_path / "out" / "report.html").is_file()

    auditor.instead = lambda _: None
    before = _asked(auditor, "shop/prices.py")
    with pytest.raises(AuditRefused, match="ask for the same, or drop it with --fresh"):
        await local.audit(options(model, tmp_path, only=("shop",)), shop)
    with pytest.raises(AuditRefused, match=r"may cost \$3\.00: leave out --budget to resume it"):
        await local.audit(options(model, tmp_path, budget_usd=2.99), shop)
    assert await local.audit(options(model, tmp_path, as_json=False), shop) == 1
    told = capsys.readouterr()
    assert "2 findings open" in told.out
    assert "going on with the run" in told.err
    assert _asked(auditor, "shop/prices.py") == before, "a part that was read is not paid for again"


@pytest.mark.rotating(4)
async def test_a_killed_run_goes_on_and_pays_for_no_part_twice_unless_it_is_dropped(
    model: ScriptedModel, auditor: Auditor, shop: Path, tmp_path: Path
) -> None:
    auditor.claims = (TOTAL, ROW)
    auditor.instead = _silent("store/orders.py")
    run = await auditing.start(model, shop, "--slots", "1", "--state-dir", str(tmp_path / "state"))
    await until(lambda: _asked(auditor, "store/orders.py"))
    run.kill()
    await run.wait()
    auditor.instead = lambda _: None
    before = _asked(auditor, "shop/prices.py")
    commit(shop, {"shop/more.py": "x = 1\n"})
    assert await local.audit(options(model, tmp_path), shop) == 2, "nobody has read what is new"
    assert _asked(auditor, "shop/prices.py") == before


@pytest.mark.rotating(4)
async def test_a_run_that_was_cancelled_is_told_as_it_is_and_the_same_command_goes_on_with_the_rest(
    model: ScriptedModel, auditor: Auditor, shop: Path, tmp_path: Path, capsys: Capture
) -> None:
    auditor.claims = (TOTAL, ROW)
    auditor.instead = _silent("store/orders.py")
    running = asyncio.create_task(local.audit(options(model, tmp_path, slots=1), shop))
    await until(lambda: _asked(auditor, "store/orders.py"))
    database = Database.open(f"sqlite:///{tmp_path}/state/defects/pool.sqlite")
    (chain,) = await database.read(carrying.unfinished)
    await database.transact(lambda tx: chains.request_cancel(tx, chain.id, 1))
    database.close()
    assert await running == 2
    told = json.loads(capsys.readouterr().out)
    assert [each["title"] for each in told["unsettled"]] == [TOTAL["title"]]
    assert told["resume"].startswith("claude-pool-gh audit")
    assert "--only" not in told["resume"], "what was read is known to nobody but the same command"

    auditor.instead = lambda _: None
    before = _asked(auditor, "shop/prices.py")
    assert await local.audit(options(model, tmp_path), shop) == 1
    told = capsys.readouterr()
    assert "going on with what the run before has read" in told.err
    assert _asked(auditor, "shop/prices.py") == before
    assert len(json.loads(told.out)["findings"]) == 2
