"""`claude-pool-gh audit --org`, `--installation`, `--repos`: on the simulated GitHub, with a scripted model."""

from __future__ import annotations

import asyncio
import errno
import json
import signal
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from claude_pool_gh.audits.model import AuditResult
from claude_pool_gh.rehearsal.github import Fault, Repository, SimulatedGitHub, bad_gateway
from claude_pool_gh.rehearsal.model import ScriptedModel
from claude_pool_gh.service.audit import reports
from claude_pool_gh.service.audit.fleet import run
from claude_pool_gh.service.audit.fleet.options import (
    Filters,
    FleetOptions,
    Installations,
    Named,
    Organization,
    Source,
)
from claude_pool_gh.service.audit.options import Form
from claude_pool_gh.worktrees.leases import Worktrees
from tests.acceptance.auditor import Auditor
from tests.patience import until
from tests.service import auditing
from tests.service.auditing import CONFIG, PRICES, STORE, TOTAL

SHOP, MILL = {"shop/prices.py": PRICES}, {"store/orders.py": STORE}
EVERYTHING = Filters(most_megabytes=1_000)


@pytest.fixture
async def model() -> AsyncIterator[ScriptedModel]:
    async with ScriptedModel.start(Auditor(claims=(TOTAL,))) as model:
        yield model


@pytest.fixture
def auditor(model: ScriptedModel) -> Auditor:
    script = model.script
    assert isinstance(script, Auditor)
    return script


@pytest.fixture
async def github(tmp_path: Path) -> AsyncIterator[SimulatedGitHub]:
    async with SimulatedGitHub.start(tmp_path / "github") as github:
        yield github


@pytest.fixture
def token(github: SimulatedGitHub, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Gives a person's token that may read these repositories, and lets the command have it."""
    mona = github.create_user("mona")

    def give(*repositories: Repository) -> str:
        for each in repositories:
            each.grant(mona, "read")
        secret = github.create_token(mona)
        monkeypatch.setenv("GITHUB_TOKEN", secret)
        return secret

    return give


@pytest.fixture
def options(
    model: ScriptedModel, github: SimulatedGitHub, tmp_path: Path
) -> Callable[..., FleetOptions]:
    """Gives the options of a command over a fleet."""

    def make(
        source: Source, *, budget: float | None = 5.0, filters: Filters = EVERYTHING, **each: Any
    ) -> FleetOptions:
        known = {"GITHUB_API_URL": github.api_url, "GITHUB_SERVER_URL": github.url}
        known |= each.pop("settings", {})
        own = auditing.options(model, tmp_path, settings=known, **each)
        return FleetOptions(each=own, source=source, filters=filters, budget_usd=budget)

    return make


def rows(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    """The rows of the overview that was printed last, by repository."""
    told = json.loads(capsys.readouterr().out)
    return {each["repository"]: each for each in told["repositories"]}


async def test_a_fleet_has_a_row_for_each_repository_and_what_goes_wrong_costs_only_its_own(
    github: SimulatedGitHub,
    auditor: Auditor,
    token: Callable[..., str],
    options: Callable[..., FleetOptions],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    shop = github.create_repository("octo/shop", SHOP)
    mill = github.create_repository("octo/mill", MILL, private=True)
    empty = github.create_repository("octo/empty", {})
    large = github.create_repository("octo/large", MILL)
    large.describe(kilobytes=2_000_000)
    old = github.create_repository("octo/old", MILL)
    old.archive()
    broken = github.create_repository("octo/broken", {".github/claude-pool.yml": "audit: 1\n"})
    secret = github.create_repository("octo/secret", MILL, private=True)
    token(shop, mill, empty, large, old, broken)

    assert await run.audit(options(Organization("octo"))) == 2
    told = capsys.readouterr()
    report = json.loads(told.out)
    seen = {each["repository"]: each for each in report["repositories"]}
    assert "octo/secret" not in seen, secret.full_name
    assert {name: row["state"] for name, row in seen.items()} == {
        "octo/shop": "findings",
        "octo/mill": "clean",
        "octo/empty": "not audited",
        "octo/large": "not audited",
        "octo/broken": "not audited",
    }
    assert report["left_out"] == {"archived": 1}
    assert seen["octo/empty"]["reason"] == "it has no commit on its default branch"
    assert "too large: 2000 MB" in seen["octo/large"]["reason"]
    assert "claude-pool.yml: line 1" in seen["octo/broken"]["reason"]
    assert (
        report["verdict"]
        == "PARTLY AUDITED: 3 of 5 repositories not whole; 1 finding open (1 high)"
    )
    assert report["cost_microdollars"] == sum(row["cost_microdollars"] for row in seen.values()) > 0

    own = json.loads((tmp_path / "out" / "octo" / "shop" / "report.json").read_text())
    assert [each["title"] for each in own["findings"]] == [TOTAL["title"]]
    page = (tmp_path / "out" / "overview.html").read_text()
    assert 'href="octo/shop/report.html"' in page
    assert "[`octo/shop`](<octo/shop/report.md>)" in (tmp_path / "out" / "overview.md").read_text()

    assert await run.audit(options(Organization("octo"))) == 2
    again = json.loads((tmp_path / "out" / "octo" / "shop" / "report.json").read_text())
    assert [each["state"] for each in again["findings"]] == ["open"]
    assert len(auditor.asked("verify-audit")) == 1, "nothing is verified twice"


async def test_one_budget_holds_for_all_and_who_comes_too_late_says_so(
    github: SimulatedGitHub,
    token: Callable[..., str],
    options: Callable[..., FleetOptions],
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def stuck(_self: Worktrees, _repository_id: int) -> None:
        raise OSError(errno.EBUSY, "Device or resource busy")

    monkeypatch.setattr(Worktrees, "remove_checkouts", stuck)
    names = [f"octo/r{number}" for number in range(3)]
    token(*(github.create_repository(name, MILL) for name in names))
    file = Named(tmp_path / "repos.txt", (*names, "octo/gone"))
    first = await run.audit(options(file, slots=1))
    assert first == 2, "one is not there"
    seen = rows(capsys)
    assert seen["octo/gone"]["reason"] == "GitHub does not have it, or your token may not read it"
    assert [seen[name]["state"] for name in names] == ["clean"] * 3, "what stays costs no other one"
    cost = seen["octo/r0"]["cost_microdollars"]
    assert cost > 0

    budget = 2.2 * cost / 1_000_000
    await run.audit(options(file, slots=1, budget=budget, state=tmp_path / "other"))
    seen = rows(capsys)
    assert sum(row["cost_microdollars"] for row in seen.values()) <= 2.2 * cost
    assert seen["octo/r2"]["state"] in ("not audited", "partly audited"), seen["octo/r2"]


async def test_an_app_s_installations_are_a_fleet_too(
    github: SimulatedGitHub,
    options: Callable[..., FleetOptions],
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    app = github.create_app("claude-pool")
    for owner in ("octo", "acme"):
        github.install(app, owner, [github.create_repository(f"{owner}/shop", MILL, private=True)])
    key = tmp_path / "key.pem"
    key.write_text(app.private_key)
    settings = {"app_id": str(app.id), "private_key_file": key}
    assert await run.audit(options(Installations(), settings=settings, forms=(Form.sarif,))) == 0
    told = capsys.readouterr()
    assert {each["repository"]: each["state"] for each in json.loads(told.out)["repositories"]} == {
        "octo/shop": "clean",
        "acme/shop": "clean",
    }
    out = tmp_path / "out"
    assert not [*out.glob("overview*")]
    assert (out / "acme" / "shop" / "report.sarif").is_file()
    assert "no overview was written, since SARIF has no form for it: add --format md" in told.err
    assert f"{out}/OWNER/NAME" in told.err


async def test_a_plan_of_a_fleet_spends_nothing(
    github: SimulatedGitHub,
    model: ScriptedModel,
    token: Callable[..., str],
    options: Callable[..., FleetOptions],
    capsys: pytest.CaptureFixture[str],
) -> None:
    shop = github.create_repository("octo/shop", SHOP)
    shop.describe(topics=("Payments",), language="Python")
    token(shop, github.create_repository("octo/mill", MILL), github.create_repository("octo/e", {}))
    asked = options(Organization("octo"), budget=None, plan_only=True, as_json=False)
    assert await run.audit(asked) == 0
    told = capsys.readouterr()
    assert "defects, octo/shop at" in told.out
    assert "2 repositories, about $" in told.out
    assert "octo/e: it has no commit" in told.err
    for filters in (
        replace(EVERYTHING, topics=frozenset({"payments"})),
        replace(EVERYTHING, languages=frozenset({"python"})),
    ):
        assert await run.audit(replace(asked, filters=filters)) == 0
        told = capsys.readouterr()
        assert "octo/mill" not in told.out + told.err
    typed = replace(asked, each=replace(asked.each, as_json=True))
    assert await run.audit(typed) == 0
    report = json.loads(capsys.readouterr().out)
    assert [each["repository"] for each in report["plans"]] == ["octo/shop", "octo/mill"]
    assert report["not_planned"] == {"octo/e": "it has no commit on its default branch"}
    home = github.create_repository(
        "octo/.github", {CONFIG: "audits: {defects: {exclude: [shop/]}}\n"}
    )
    token(home)
    assert await run.audit(typed) == 0
    report = json.loads(capsys.readouterr().out)
    assert [each["repository"] for each in report["plans"]] == ["octo/mill", "octo/.github"]
    assert (
        report["not_planned"]["octo/shop"]
        == "every file is generated, vendored, binary or excluded"
    )
    home.commit("main", {CONFIG: "audits: 1\n"})
    assert await run.audit(typed) == 2
    faults = json.loads(capsys.readouterr().out)["not_planned"]
    assert "the configuration of octo/.github cannot be used" in faults["octo/mill"]
    nothing = replace(typed, source=Named(Path("repos.txt"), ("octo/e", "octo/gone")))
    assert await run.audit(nothing) == 2, "nothing could be planned"
    assert [*json.loads(capsys.readouterr().out)["not_planned"]] == ["octo/gone", "octo/e"]
    assert model.requests == []


async def test_a_repository_that_vanishes_while_the_fleet_is_audited_is_a_row(
    github: SimulatedGitHub,
    auditor: Auditor,
    token: Callable[..., str],
    options: Callable[..., FleetOptions],
    capsys: pytest.CaptureFixture[str],
) -> None:
    shop = github.create_repository("octo/shop", SHOP)
    mill = github.create_repository("octo/mill", MILL)
    token(shop, mill)

    def vanish(files: Any) -> None:
        if "shop/prices.py" in files and not mill.state.deleted:
            mill.delete()

    auditor.instead = vanish
    assert await run.audit(options(Organization("octo"), slots=1)) == 2
    seen = rows(capsys)
    assert seen["octo/shop"]["state"] == "findings"
    assert seen["octo/mill"]["reason"] == "GitHub does not have it, or your token may not read it"


async def test_what_github_cannot_give_now_is_tried_again_by_the_next_command(
    github: SimulatedGitHub,
    token: Callable[..., str],
    options: Callable[..., FleetOptions],
    capsys: pytest.CaptureFixture[str],
    auditor: Auditor,
) -> None:
    shop, mill = (
        github.create_repository("octo/shop", SHOP),
        github.create_repository("octo/mill", MILL),
    )
    token(shop, mill)
    broken = Fault(bad_gateway(), times=99, when=lambda moment: "octo/mill" in moment.path)
    github.faults.add(broken)
    assert await run.audit(options(Organization("octo"))) == 2
    seen = rows(capsys)
    assert seen["octo/mill"]["state"] == "not finished"
    assert "GitHub answered with a fault (502)" in seen["octo/mill"]["reason"]
    github.faults.clear()
    before = len(auditor.asked("audit-defects"))
    assert await run.audit(options(Organization("octo"))) == 1
    assert len(auditor.asked("audit-defects")) == before + 1, "the other one is not read again"
    assert rows(capsys)["octo/shop"]["state"] == "findings"


async def test_a_fleet_has_ended_only_once_its_reports_are_written(
    github: SimulatedGitHub,
    model: ScriptedModel,
    token: Callable[..., str],
    options: Callable[..., FleetOptions],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    token(github.create_repository("octo/shop", SHOP), github.create_repository("octo/mill", MILL))
    write = reports.write

    def full(result: AuditResult, *more: Any) -> list[Path]:
        if result.plan.repository == "octo/mill":
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(result, *more)

    async def stopped(_self: Worktrees, _seconds: float) -> int:
        raise asyncio.CancelledError

    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(reports, "write", full)
        assert await run.audit(options(Organization("octo"))) == 2
    seen = rows(capsys)
    assert seen["octo/shop"]["state"] == "findings", "one report costs only its own"
    assert seen["octo/mill"]["state"] == "not finished"
    assert "No space left on device; run the same command" in seen["octo/mill"]["reason"]
    before = len(model.requests)
    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(Worktrees, "prune", stopped)
        with pytest.raises(asyncio.CancelledError):
            await run.audit(options(Organization("octo")))
    assert {name: row["state"] for name, row in rows(capsys).items()} == {
        "octo/shop": "findings",
        "octo/mill": "clean",
    }
    assert (tmp_path / "out" / "octo" / "mill" / "report.json").is_file()
    assert len(model.requests) == before, "nothing is paid again"


@pytest.mark.rotating(4)
@pytest.mark.usefixtures("interruptible")
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
async def test_a_fleet_that_was_ended_goes_on_with_what_is_left_and_pays_for_nothing_twice(
    github: SimulatedGitHub,
    model: ScriptedModel,
    auditor: Auditor,
    token: Callable[..., str],
    tmp_path: Path,
    how: signal.Signals,
) -> None:
    repositories = [github.create_repository(f"octo/{name}", SHOP) for name in ("a", "b", "c")]
    secret = token(*repositories)
    held = asyncio.Event()

    def hold(_files: Any) -> Any:
        if len(auditor.asked("audit-defects")) >= 2:
            held.set()
            return auditing.SILENT
        return None

    auditor.instead = hold
    told = {
        "GITHUB_TOKEN": secret,
        "GITHUB_API_URL": github.api_url,
        "GITHUB_SERVER_URL": github.url,
    }
    arguments = ("--org", "octo", "--budget", "5", "--slots", "1", "--json")
    work = tmp_path / "work"
    work.mkdir()
    first = await auditing.start(model, work, *arguments, **told)
    await until(held.is_set)
    assert first.returncode is None
    first.send_signal(how)
    stopped = await auditing.ended(first)
    if how is signal.SIGINT:
        assert stopped.code == 130, stopped
        states = [each["state"] for each in stopped.json["repositories"]]
        assert states == ["findings", "not finished", "not finished"]
        assert (work / "claude-pool-audit" / "octo" / "a" / "report.html").is_file()
    auditor.instead = lambda _: None
    before = len(auditor.asked("audit-defects"))
    went_on = await auditing.audit(model, work, *arguments, **told)
    assert went_on.code == 1, went_on
    assert [each["state"] for each in went_on.json["repositories"]] == ["findings"] * 3
    assert len(auditor.asked("audit-defects")) == before + 2, "the first one is not read again"
