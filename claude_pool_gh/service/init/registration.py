"""GitHub's manifest flow: a page of ours posts the manifest, a person confirms it, GitHub sends the browser back.

The page is served on loopback only, under a path that nobody can guess: whoever could read it would learn `state`, and
could have the secrets of an App of theirs stored in place of ours.
"""

from __future__ import annotations

import asyncio
import hmac
import html
import json
import re
import secrets
from collections.abc import Callable, Mapping
from typing import Any, Final

from aiohttp import web
from pydantic import ValidationError

from claude_pool_gh.service.init.kept import CreatedApp
from claude_pool_gh.service.init.operator import connect

_CODE: Final = re.compile(r"[A-Za-z0-9_-]{1,200}")
_PAGE: Final = "<!doctype html><meta charset=utf-8><title>claude-pool-gh init</title>"


class NotRegistered(ValueError):
    """The reason why there is no App."""


class GitHubAway(ValueError):
    """GitHub could not be reached: what was asked can be asked again."""


class Registration:
    """One App being made. `kept` is called with it before the browser is told; what it raises ends the registration."""

    def __init__(
        self, server_url: str, api_url: str, organization: str, kept: Callable[[CreatedApp], None]
    ) -> None:
        own = f"/organizations/{organization}" if organization else ""
        self.target = f"{server_url.rstrip('/')}{own}/settings/apps/new"
        self.api_url, self.kept = api_url, kept
        self.path, self.state = f"/{secrets.token_urlsafe(24)}", secrets.token_urlsafe(24)
        self.manifest: Mapping[str, Any] = {}
        self.made: asyncio.Future[CreatedApp] = asyncio.get_running_loop().create_future()
        self._converting = asyncio.Lock()

    def application(self) -> web.Application:
        """The two pages."""
        application = web.Application()
        application.router.add_get(self.path, self.propose)
        application.router.add_get(f"{self.path}/created", self.created)
        return application

    async def propose(self, _request: web.Request) -> web.Response:
        """Post the manifest to GitHub, by itself where the browser runs scripts."""
        nonce = secrets.token_urlsafe(12)
        value = html.escape(json.dumps(self.manifest))
        form = (
            f"<form method=post action='{html.escape(self.target)}?state={self.state}'>"
            f"<input type=hidden name=manifest value='{value}'><button>Continue on GitHub</button></form>"
            f"<script nonce={nonce}>document.forms[0].submit()</script>"
        )
        # No `form-action`: it would also hold for the pages on which an organization signs its people in.
        return _page(200, form, f"; script-src 'nonce-{nonce}'")

    async def created(self, request: web.Request) -> web.Response:
        """Exchange the code that GitHub sent the browser back with."""
        state, code = request.query.get("state", ""), request.query.get("code", "")
        if not hmac.compare_digest(state.encode(), self.state.encode()) or not _CODE.fullmatch(
            code
        ):
            return _page(400, "<p>This is not what GitHub sends. Nothing was done.</p>")
        # the page may be loaded twice; the code is good for one exchange
        async with self._converting:
            try:
                if not self.made.done():
                    await self._convert(code)
            except GitHubAway as away:
                return _page(503, f"<p>{html.escape(str(away))} Reload this page.</p>")
        if (error := self.made.exception()) is not None:
            return _page(502, f"<p>{html.escape(str(error))}</p>")
        link = html.escape(f"{self.made.result().html_url}/installations/new")
        return _page(
            200, f"<p>The App was made. <a href='{link}'>Install it on your repositories</a>.</p>"
        )

    async def _convert(self, code: str) -> None:
        try:
            app = await asyncio.to_thread(_converted, self.api_url, code)
            self.kept(app)
        except (NotRegistered, OSError) as error:
            told = error if isinstance(error, NotRegistered) else _unkept(error)
            self.made.set_exception(told)
        else:
            self.made.set_result(app)


async def register(
    registration: Registration,
    manifest: Callable[[str], Mapping[str, Any]],
    port: int,
    show: Callable[[str], None],
) -> CreatedApp:
    """Serve until a person has made the App. `show` is given the page to open. Raises NotRegistered."""
    runner = web.AppRunner(registration.application(), access_log=None, shutdown_timeout=5)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", port).start()
        here = f"http://127.0.0.1:{runner.addresses[0][1]}{registration.path}"
        registration.manifest = manifest(f"{here}/created")
        show(here)
        return await asyncio.shield(registration.made)
    except OSError as error:
        raise NotRegistered(
            f"port {port} of this machine cannot be listened on: {error.strerror}"
        ) from error
    finally:
        await runner.cleanup()  # lets the answer to the browser go out first


def _converted(api_url: str, code: str) -> CreatedApp:
    from github import GithubException  # noqa: PLC0415 - slow to import

    try:
        client = connect(api_url, "")
        _, answer = client.requester.requestJsonAndCheck(
            "POST", f"/app-manifests/{code}/conversions"
        )
        return CreatedApp.model_validate(answer)
    except GithubException as error:
        raise NotRegistered(
            f"GitHub did not hand out the App ({error.status}): its code is good for one hour and once. "
            "If the App is in your settings, delete it, and run this again."
        ) from None
    except ValidationError:  # its text would repeat the answer, and so the key
        raise NotRegistered(
            "GitHub's answer was not an App: delete it in your settings, and run this again"
        ) from None
    except OSError as error:  # those of `requests` are such too
        raise GitHubAway(f"{api_url} cannot be reached ({type(error).__name__}).") from error


def _unkept(error: OSError) -> NotRegistered:
    return NotRegistered(
        f"the App was made, but its key could not be written ({error.strerror}): generate a new private key and a new "
        "webhook secret on the App's page"
    )


def _page(status: int, body: str, allowed: str = "") -> web.Response:
    headers = {
        "Content-Security-Policy": f"default-src 'none'{allowed}",
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "no-store",
        "X-Frame-Options": "DENY",
    }
    return web.Response(status=status, text=_PAGE + body, content_type="text/html", headers=headers)
