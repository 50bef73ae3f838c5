"""`claude-pool-gh audit PATH`: real git and the real CLI against a scripted model, without any GitHub."""

from __future__ import annotations

import json
import signal
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from pathlib import Path

import jsonschema
import pytest

from claude_pool_gh.rehearsal.model import Fail, Reply, ScriptedModel
from tests.acceptance.auditor import Auditor, files_of
from tests.patience import until
from tests.service import auditing
from tests.service.auditing import BY_FOLDER, CONFIG, FILES, PRICES, ROW, TOTAL, audit, commit

SARIF = Path(__file__).parents[1] / "audits" / "data" / "sarif-schema-2.1.0.json"


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
    model: ScriptedModel, auditor: Auditor, shop: Path, tmp_path: Path
) -> None:
    auditor.claims, auditor.verdicts = (TOTAL, ROW), {ROW["title"]: "refuted"}
    out = tmp_path / "out"
    first = await audit(model, shop, "--out", str(out))
    assert first.code == 1, first
    assert "1 finding open: 1 high" in first.out
    assert "shop/prices.py:2  The total is a sum (new)" in first.out
    assert ROW["title"] not in first.out, "what is refuted is counted, not shown"
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

    second = await audit(model, shop, "--out", str(out), "--json")
    assert second.code == 1
    assert [each["state"] for each in second.json["findings"]] == ["open"]
    asked = [each for each in auditor.asked("verify-audit") if TOTAL["title"] in each.text]
    assert len(asked) == 1, "nothing is verified twice"

    commit(shop, {"shop/prices.py": PRICES.replace("+", "*")})
    auditor.claims, auditor.verdicts = (), {TOTAL["title"]: "fixed"}
    third = await audit(model, shop, "--format", "json", "--out", str(tmp_path / "third"))
    assert third.code == 0, third
    assert "nothing found in 3 files" in third.out
    assert [each.name for each in (tmp_path / "third").iterdir()] == ["report.json"]
    fixed = json.loads((tmp_path / "third" / "report.json").read_text())
    assert [each["state"] for each in fixed["findings"]] == ["fixed"]
    assert fixed["clean"]


async def test_a_plan_needs_no_key_stores_nothing_and_says_what_would_be_read(
    shop: Path, tmp_path: Path
) -> None:
    planned = await audit(None, shop, "--plan", "--only", "shop")
    assert planned.code == 0, planned
    assert "shop at" in planned.out
    assert "1 file in 1 part" in planned.out
    assert "from published prices" in planned.out
    assert not (tmp_path / ".local").exists()
    told = await audit(None, shop, "--plan", "--json", "--budget", "0.000001")
    assert len(told.json["shards"]) == 1, "at least one is always reached"
    assert len(told.json["beyond"]) == 2
    nothing = await audit(None, shop, "--plan", "--only", "nowhere")
    assert nothing.code == 2
    assert "no file that can be read matches" in nothing.err


async def test_a_part_that_fails_is_not_covered_and_costs_only_itself(
    model: ScriptedModel, auditor: Auditor, shop: Path
) -> None:
    auditor.claims = (TOTAL,)
    auditor.instead = lambda files: (
        Fail(400, "invalid_request_error", "refused") if "store/orders.py" in files else None
    )
    ran = await audit(model, shop)
    assert ran.code == 2, ran
    assert "PARTLY AUDITED: 1 file not read; 1 finding open" in ran.out
    assert (shop / "claude-pool-audit" / "report.md").is_file()


async def test_a_folder_inside_a_checkout_is_read_alone(
    model: ScriptedModel, auditor: Auditor, shop: Path, tmp_path: Path
) -> None:
    auditor.claims = (TOTAL, ROW)
    ran = await audit(model, tmp_path, str(shop / "store"), "--json")
    assert [each["title"] for each in ran.json["findings"]] == [ROW["title"]]
    assert ran.json["coverage"]["files_read"] == 1


@pytest.mark.parametrize(
    ("make", "arguments", "words"),
    [
        (lambda _: None, (), "is in no git repository with a commit"),
        (lambda f: auditing.git(f, "init", "-q"), (), "is in no git repository with a commit"),
        (lambda f: commit(f, FILES), ("--audit", "defect"), "did you mean `defects`?"),
        (lambda f: commit(f, {CONFIG: "audit: 1\n", "a": "b"}), (), "claude-pool.yml: line 1"),
        (lambda f: commit(f, FILES), ("--state-dir", "state"), "name another folder with"),
    ],
)
async def test_what_cannot_be_audited_is_told_with_what_to_do_and_ends_with_two(
    tmp_path: Path, make: object, arguments: tuple[str, ...], words: str
) -> None:
    folder = tmp_path / "work"
    folder.mkdir()
    assert callable(make)
    make(folder)
    ran = await audit(None, folder, "--plan", *arguments)
    assert (ran.code, ran.out) == (2, ""), ran
    assert words in ran.err


def _silent(path: str) -> Callable[[Sequence[str]], Reply | None]:
    """The agent of the part with this file gets no answer within the length of a test."""
    return lambda files: auditing.SILENT if path in files else None


def _asked(auditor: Auditor, path: str) -> int:
    """The number of agents that were given the part with this file."""
    return sum(path in files_of(each) for each in auditor.asked("audit-defects"))


@pytest.fixture
def _interruptible() -> Iterator[None]:
    """Programs that are started here can be interrupted, also where whoever runs the tests ignores that."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("_interruptible")
async def test_ctrl_c_keeps_what_was_found_and_the_next_run_goes_on_with_the_rest(
    model: ScriptedModel, auditor: Auditor, shop: Path
) -> None:
    auditor.claims = (TOTAL, ROW)
    auditor.instead = _silent("store/orders.py")
    run = await auditing.start(model, shop, "--slots", "1")
    await until(lambda: _asked(auditor, "store/orders.py"))
    assert run.returncode is None
    run.send_signal(signal.SIGINT)
    stopped = await auditing.ended(run)
    assert stopped.code == 130, stopped
    assert "PARTLY AUDITED" in stopped.out
    assert "The total is a sum (not verified: the audit was interrupted)" in stopped.out
    assert (shop / "claude-pool-audit" / "report.html").is_file()

    auditor.instead = lambda _: None
    before = _asked(auditor, "shop/prices.py")
    other = await audit(model, shop, "--only", "shop")
    assert other.code == 2
    assert "ask for the same, or drop it with --fresh" in other.err
    went_on = await audit(model, shop)
    assert went_on.code == 1, went_on
    assert "2 findings open" in went_on.out
    assert "going on with the run" in went_on.err
    assert _asked(auditor, "shop/prices.py") == before, "a part that was read is not paid for again"


async def test_a_killed_run_goes_on_and_pays_for_no_part_twice(
    model: ScriptedModel, auditor: Auditor, shop: Path
) -> None:
    auditor.claims = (TOTAL, ROW)
    auditor.instead = _silent("store/orders.py")
    run = await auditing.start(model, shop, "--slots", "1")
    await until(lambda: _asked(auditor, "store/orders.py"))
    run.kill()
    await run.wait()
    auditor.instead = lambda _: None
    before = _asked(auditor, "shop/prices.py")
    went_on = await audit(model, shop)
    assert went_on.code == 1, went_on
    assert "2 findings open" in went_on.out
    assert _asked(auditor, "shop/prices.py") == before
