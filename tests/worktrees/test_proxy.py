"""The proxy that git goes through: the one that is set, whatever the environment names."""

from __future__ import annotations

import pytest
from aiohttp import web

from claude_pool_gh.worktrees.answers import GitOutcome, meaning_of
from claude_pool_gh.worktrees.errors import WorktreeError
from claude_pool_gh.worktrees.git import Credentials, git
from tests.proxies import refusing

DEAD = "http://127.0.0.1:9"


async def seen_through(proxy: str | None, url: str, seen: list[str]) -> None:
    login = Credentials("token", f"{url}/octo/widgets.git", proxy)
    seen.clear()
    with pytest.raises(WorktreeError):
        await git("ls-remote", login.url, environment=login.environment(), timeout=30)


async def test_git_goes_through_the_proxy_that_is_set_and_not_through_the_environments(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        seen.append(request.raw_path)
        return web.Response(status=404)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    here = "http://{}:{}".format(*runner.addresses[0][:2])
    try:
        for name in ("HTTPS_PROXY", "https_proxy"):
            monkeypatch.setenv(name, DEAD)
        await seen_through(here, "http://github.invalid", seen)
        assert seen
        assert seen[0].startswith("http://github.invalid/octo/widgets.git/info/refs")
        await seen_through("", here, seen)
        assert seen
        assert seen[0].startswith("/octo/widgets.git/info/refs")
        # A proxy of the environment's counts only where nothing is said of one.
        secure = here.replace("http://", "https://")
        with pytest.raises(WorktreeError) as heeded:
            await git(
                "ls-remote", f"{secure}/x.git", environment=Credentials("t", secure).environment()
            )
        with pytest.raises(WorktreeError) as unheeded:
            await git(
                "ls-remote",
                f"{secure}/x.git",
                environment=Credentials("t", secure, "").environment(),
            )
    finally:
        await runner.cleanup()
    assert "port 9" in heeded.value.detail
    assert "port 9" not in unheeded.value.detail


@pytest.mark.parametrize(
    ("status", "scheme"),
    [(407, "https"), (403, "https"), (502, "https"), (407, "http"), (502, "http")],
)
async def test_a_proxy_that_makes_no_connection_is_no_word_of_github(
    status: int, scheme: str
) -> None:
    async with refusing(status) as proxy:
        login = Credentials("token", f"{scheme}://github.invalid/octo/widgets.git", proxy)
        with pytest.raises(WorktreeError) as raised:
            await git("ls-remote", login.url, environment=login.environment(), timeout=30)
    assert meaning_of(raised.value.detail) is GitOutcome.passing
    assert "canary" not in f"{raised.value} {raised.value.detail}"


async def test_a_proxy_that_has_no_address_is_no_word_of_github() -> None:
    login = Credentials("token", "https://github.invalid/x.git", "http://bot:canary@proxy.invalid")
    with pytest.raises(WorktreeError) as raised:
        await git("ls-remote", login.url, environment=login.environment(), timeout=30)
    assert meaning_of(raised.value.detail) is GitOutcome.passing
