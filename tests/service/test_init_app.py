"""`claude-pool-gh init --app` as an operator runs it: GitHub's manifest flow, by plain HTTP and in a real browser."""

from __future__ import annotations

import asyncio
import html
import json
import os
import re
import stat
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from claude_pool_gh.github.access import PERMISSIONS, PUSHING, RESOLVING
from claude_pool_gh.github.effects import registry
from claude_pool_gh.rehearsal.github import SimulatedGitHub
from claude_pool_gh.rehearsal.github.web.faults import Fault, Reset
from claude_pool_gh.rehearsal.model import ScriptedModel
from claude_pool_gh.rehearsal.reviewer import Reviewer
from claude_pool_gh.service.doctor.doctor_github import EVENTS
from claude_pool_gh.service.init import manifest as manifests
from tests import ours
from tests.rehearsal.contract.checker import shared
from tests.service import browser

ROOT = Path(__file__).parents[2]
HOST = "https://pool.example"
PATIENCE = 90.0
Person = Callable[[str], Coroutine[Any, Any, None]]


@pytest.fixture
async def github(tmp_path: Path) -> AsyncIterator[SimulatedGitHub]:
    contract = shared()
    contract.clear()
    async with SimulatedGitHub.start(tmp_path / "github") as made:
        made.observe(contract)
        yield made
        contract.assert_clean()


def environment(github: SimulatedGitHub, folder: Path) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "PYTHONPATH": str(ROOT),
        "PYTHONUNBUFFERED": "1",
        "GITHUB_API_URL": github.api_url,
        "GITHUB_SERVER_URL": github.url,
    }


async def init(
    github: SimulatedGitHub, folder: Path, *arguments: str, person: Person | None = None
) -> tuple[int, str]:
    """Run it; `person` is given the page that it names. Its exit code and everything that it printed."""
    folder.mkdir(exist_ok=True)
    process = await asyncio.create_subprocess_exec(
        *ours.cli("init", "--app", "--no-browser", "--yes", *arguments),
        env=environment(github, folder),
        cwd=folder,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    told = ""
    try:
        async with asyncio.timeout(PATIENCE):
            assert process.stdout is not None
            async for line in process.stdout:
                told += line.decode()
                if person and (
                    found := re.match(
                        r"Open (http://127\.0\.0\.1:\d+/\S+) in a browser", line.decode()
                    )
                ):
                    await person(found[1])
            return await process.wait(), told
    finally:
        with suppress(ProcessLookupError):
            process.kill()


def fields(page: str) -> dict[str, str]:
    """The hidden fields of a form."""
    return {
        name: html.unescape(value)
        for name, value in re.findall(r"type=hidden name=(\w+) value='([^']*)'", page)
    }


async def clicking(page: str) -> str:
    """What a browser does on the way, with a person who presses the one button; the page at the end."""
    async with aiohttp.ClientSession() as session:
        async with session.get(page) as answer:
            assert answer.headers["Cache-Control"] == "no-store"
            ours = await answer.text()
        target = html.unescape(re.findall(r"action='([^']+)'", ours)[0])
        async with session.post(target, data=fields(ours)) as answer:
            theirs = await answer.text()
            assert answer.status == 200, theirs
        there = target.partition("/settings")[0].partition("/organizations")[0]
        name = re.findall(r"name=name value='([^']*)'", theirs)[0]
        async with session.post(
            f"{there}/settings/apps", data=fields(theirs) | {"name": name}
        ) as answer:
            return await answer.text()


async def test_an_app_is_made_and_its_server_starts_from_the_files(
    github: SimulatedGitHub, tmp_path: Path
) -> None:
    seen = []

    async def person(page: str) -> None:
        seen.append(await clicking(page))

    folder = tmp_path / "operator"
    code, text = await init(
        github, folder, "--public-url", HOST, "--organization", "octo", person=person
    )
    assert code == 0, text
    (app,) = github.world.site.apps.values()
    assert (app.slug, app.owner.login, app.webhook_url) == (
        "claude-pool-octo",
        "octo",
        f"{HOST}/webhook",
    )
    assert dict(app.permissions) == manifests.permissions()
    assert app.events == EVENTS
    install = f"{github.url}/apps/claude-pool-octo/installations/new"
    assert f"1. Install it on your repositories: {install}\n" in text
    assert install in seen[0]

    made = folder / "claude-pool-app"
    assert {each.name: stat.S_IMODE(each.stat().st_mode) for each in made.iterdir()} == {
        "private-key.pem": 0o600,
        "settings.env": 0o600,
        ".gitignore": 0o600,
    }
    assert stat.S_IMODE(made.stat().st_mode) == 0o700
    assert (made / "private-key.pem").read_text() == app.private_key
    for secret in (app.webhook_secret, *app.private_key.splitlines()):
        assert secret not in text
        assert secret not in seen[0]

    github.install(app, "octo", [github.create_repository("octo/shop")])
    await github.settle()
    async with ScriptedModel.start(Reviewer()) as model:
        script = "set -a; . claude-pool-app/settings.env; set +a; exec $PYTHON -m claude_pool_gh.service.cli doctor"
        key = {
            "ANTHROPIC_API_KEY": "sk-ant-x",
            "ANTHROPIC_BASE_URL": model.url,
            "PYTHON": sys.executable,
        }
        doctor = await asyncio.create_subprocess_exec(
            "sh",
            "-c",
            script,
            env=environment(github, folder) | key | {"CLAUDE_POOL_PORT": "0"},
            cwd=folder,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        said = (await doctor.communicate())[0].decode()
    assert doctor.returncode == 0, said
    assert "permissions: enough\n" in said
    assert f"webhook: {HOST}/webhook" in said


async def test_a_real_browser_goes_the_whole_way(github: SimulatedGitHub, tmp_path: Path) -> None:
    program = browser.installed()
    if program is None:
        pytest.skip("no browser is installed")

    async def person(page: str) -> None:
        async with browser.opened(program, tmp_path / "profile") as opened:
            await opened.call("Page.navigate", url=page)
            # Our page has posted the manifest by itself; GitHub's waits for the person.
            await opened.until(
                "location.pathname == '/settings/apps/new' && !!document.querySelector('#create')"
            )
            await opened.script("document.querySelector('#create').click()")
            link = await opened.until(
                "location.pathname.endsWith('/created') && document.links[0]?.href"
            )
            assert link.endswith("/installations/new")

    code, text = await init(github, tmp_path / "operator", "--public-url", HOST, person=person)
    assert code == 0, text
    (app,) = github.world.site.apps.values()
    assert re.fullmatch(r"claude-pool-[0-9a-f]{6}", app.slug)
    assert app.owner.login == "mona"
    assert (tmp_path / "operator/claude-pool-app/private-key.pem").read_text() == app.private_key


@pytest.mark.rotating(1)
async def test_nobody_else_can_have_their_app_stored(
    github: SimulatedGitHub, tmp_path: Path
) -> None:
    theirs = github.create_app("theirs", f"{HOST}/webhook", "a-secret-of-theirs")
    github.world.site.manifest_codes["abc"] = theirs

    async def person(page: str) -> None:
        root = "/".join(page.split("/")[:3])
        async with aiohttp.ClientSession() as session:
            statuses = []
            guesses = ["?code=abc", "?code=abc&state=guess", "?state=x&code=../../user"]
            for path in (
                f"{root}/",
                f"{root}/created?code=abc",
                *(f"{page}/created{each}" for each in guesses),
            ):
                async with session.get(path) as answer:
                    statuses.append(answer.status)
        assert statuses == [404, 404, 400, 400, 400]
        assert "abc" in github.world.site.manifest_codes, "nothing was exchanged"
        await clicking(page)

    code, text = await init(github, tmp_path / "operator", "--public-url", HOST, person=person)
    assert code == 0, text
    key = (tmp_path / "operator/claude-pool-app/private-key.pem").read_text()
    assert key != theirs.private_key
    assert "--app" not in key


async def test_a_code_that_is_used_up_ends_in_words(
    github: SimulatedGitHub, tmp_path: Path
) -> None:
    async def person(page: str) -> None:
        async with aiohttp.ClientSession() as session, session.get(page) as answer:
            target = html.unescape(re.findall(r"action='([^']+)'", await answer.text())[0])
        state = target.rpartition("state=")[2]
        back = f"{page}/created?code=old&state={state}"
        async with aiohttp.ClientSession() as session, session.get(back) as answer:
            assert answer.status == 502

    code, text = await init(github, tmp_path / "operator", "--public-url", HOST, person=person)
    assert code == 1
    assert "GitHub did not hand out the App (404): its code is good for one hour and once." in text
    assert not (tmp_path / "operator/claude-pool-app").exists()


async def test_a_github_that_is_away_for_a_moment_costs_nothing(
    github: SimulatedGitHub, tmp_path: Path
) -> None:
    """The code is good for an hour: the page that the browser is on is loaded again."""
    statuses = []

    async def person(page: str) -> None:
        async with aiohttp.ClientSession() as session, session.get(page) as answer:
            target = html.unescape(re.findall(r"action='([^']+)'", await answer.text())[0])
        github.world.site.manifest_codes["abc"] = github.create_app(
            "pool-app", f"{HOST}/webhook", "s" * 40
        )
        github.faults.add(Fault(Reset(), method="POST"))
        back = f"{page}/created?code=abc&state={target.rpartition('state=')[2]}"
        async with aiohttp.ClientSession() as session:
            for _ in range(2):
                async with session.get(back) as answer:
                    statuses.append(answer.status)

    code, text = await init(github, tmp_path / "operator", "--public-url", HOST, person=person)
    assert code == 0, text
    assert statuses == [503, 200]


async def test_a_server_that_github_cannot_reach_gets_an_app_without_a_webhook(
    github: SimulatedGitHub, tmp_path: Path
) -> None:
    async def person(page: str) -> None:
        await clicking(page)

    code, text = await init(github, tmp_path / "operator", "--poll", "--json", person=person)
    assert code == 0, text
    (app,) = github.world.site.apps.values()
    assert app.webhook_url is None
    told = json.loads(text[text.index("\n{") :])
    assert (told["app_id"], told["slug"]) == (app.id, app.slug)
    assert told["install"] == f"{github.url}/apps/{app.slug}/installations/new"
    there = tmp_path / "operator"
    assert (there / told["private_key"]).read_text() == app.private_key
    settings = (there / told["settings"]).read_text()
    assert "CLAUDE_POOL_POLL=30\n" in settings
    assert re.search(r"^CLAUDE_POOL_WEBHOOK_SECRET=[0-9a-f]{64}$", settings, re.MULTILINE)
    assert "PUBLIC_URL" not in settings


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            [],
            "say where GitHub reaches the server: --public-url https://HOST, or --poll for nowhere",
        ),
        (
            ["--public-url", "http://pool.example"],
            "is not an address such as https://pool.example.com",
        ),
        (["--public-url", "https://127.0.0.1:8080"], "GitHub cannot reach 127.0.0.1"),
        (["--poll", "--organization", "../../evil"], "is no name of an account"),
    ],
)
async def test_what_cannot_be_done_is_said_before_anything_is_made(
    github: SimulatedGitHub, tmp_path: Path, arguments: list[str], said: str
) -> None:
    code, text = await init(github, tmp_path / "operator", *arguments)
    assert code != 0
    assert said in text
    assert github.world.site.apps == {}
    assert not (tmp_path / "operator/claude-pool-app").exists()


async def test_an_earlier_apps_secrets_are_never_overwritten(
    github: SimulatedGitHub, tmp_path: Path
) -> None:
    made = tmp_path / "operator/claude-pool-app"
    made.mkdir(parents=True, mode=0o700)
    (made / "private-key.pem").write_text("precious")
    code, text = await init(github, tmp_path / "operator", "--public-url", HOST)
    assert code == 1
    assert "private-key.pem is there already: name another folder with --folder" in text
    assert (made / "private-key.pem").read_text() == "precious"
    (made / "private-key.pem").unlink()
    made.chmod(0o755)
    code, text = await init(github, tmp_path / "operator", "--public-url", HOST)
    assert code == 1
    assert "can be read by other users: chmod 700" in text


async def test_a_dry_run_prints_the_manifest_and_makes_nothing(
    github: SimulatedGitHub, tmp_path: Path
) -> None:
    code, text = await init(
        github, tmp_path / "operator", "--public-url", f"{HOST}/webhook", "--dry-run", "--json"
    )
    assert code == 0, text
    wanted, _ = json.JSONDecoder().raw_decode(text)
    assert wanted["hook_attributes"] == {"url": f"{HOST}/webhook", "active": True}
    assert wanted["public"] is False
    assert not (tmp_path / "operator/claude-pool-app").exists()


@pytest.mark.rotating(1)
def test_the_app_asks_for_exactly_what_tokens_and_effects_need() -> None:
    asked = manifests.permissions()
    of_effects = {
        pair
        for kind in registry.kinds().values()
        if not kind.optional
        for pair in manifests.declared(kind.permission)
    }
    of_tokens = {*PERMISSIONS.items(), *PUSHING.items(), *RESOLVING.items()}
    assert set(asked.items()) <= of_effects | of_tokens
    for name, level in of_effects | of_tokens:
        assert asked[name] in {level, "write"}
    # What a token is never minted with, an effect cannot do: its declaration would be wrong, or the token too narrow.
    assert of_effects <= of_tokens
    assert asked == dict(sorted((PERMISSIONS | PUSHING).items())), "`doctor` asks for the same"


@pytest.mark.parametrize("organization", ["", "octo", "an-organization-with-a-very-long-name-39"])
def test_a_name_is_one_that_github_takes(organization: str) -> None:
    assert len(manifests.usual_name(organization)) <= manifests.NAME_LIMIT
