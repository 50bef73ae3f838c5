"""The pages on which a person who is signed in makes an App from a manifest, as far as a browser needs them."""

from __future__ import annotations

import html
import json
import secrets
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode, urlsplit

from aiohttp import web

from claude_pool_gh.rehearsal.github.acts import accounts
from claude_pool_gh.rehearsal.github.state.world import World

PERSONAL, ORGANIZATION = "/settings/apps/new", "/organizations/{org}/settings/apps/new"
NAME_LIMIT = 34
_OF_EVENT = {
    "check_run": "checks",
    "check_suite": "checks",
    "issue_comment": "issues",
    "issues": "issues",
    "merge_group": "merge_queues",
    "pull_request": "pull_requests",
    "pull_request_review": "pull_requests",
    "pull_request_review_comment": "pull_requests",
    "push": "contents",
    "repository": "metadata",
}
"""The permission without which an event cannot be had; some others would do for `issue_comment` too."""


def add_to(application: web.Application, world: World) -> None:
    """Serve the pages."""
    pages = Pages(world)
    for path in (PERSONAL, ORGANIZATION):
        application.router.add_post(path, pages.propose)
    application.router.add_post("/settings/apps", pages.create)


class Pages:
    """A manifest becomes a form, and its button an App."""

    def __init__(self, world: World) -> None:
        self.world = world

    async def propose(self, request: web.Request) -> web.Response:
        """Show what the manifest asks for, with the one button that makes the App."""
        text = str((await request.post()).get("manifest") or "")
        if faults := faults_of(text, self.world):
            return _page(422, "".join(f"<p class=error>{html.escape(each)}</p>" for each in faults))
        kept = {"manifest": text, "state": request.query.get("state", ""), "owner": _owner(request)}
        fields = "".join(
            f"<input type=hidden name={name} value='{html.escape(value)}'>"
            for name, value in kept.items()
        )
        name = html.escape(str(json.loads(text).get("name") or ""))
        button = f"<button id=create>Create GitHub App for {html.escape(kept['owner'])}</button>"
        entry = f"<input name=name value='{name}'>"
        return _page(200, f"<form method=post action=/settings/apps>{fields}{entry}{button}</form>")

    async def create(self, request: web.Request) -> web.Response:
        """Make the App and send the browser back with a code that is good for one conversion."""
        form = {name: str(value) for name, value in (await request.post()).items()}
        manifest: dict[str, Any] = json.loads(form["manifest"])
        hook = manifest.get("hook_attributes") or {}
        app = accounts.create_app(
            self.world,
            (form.get("name") or manifest["name"]).lower().replace(" ", "-"),
            hook.get("url"),
            secrets.token_hex(20) if hook else "",
            manifest.get("default_permissions"),
            manifest.get("default_events"),
        )
        app.owner = self.world.site.user(form["owner"])
        code = secrets.token_hex(20)
        self.world.site.manifest_codes[code] = app
        query = {"code": code} | ({"state": form["state"]} if form["state"] else {})
        raise web.HTTPFound(f"{manifest['redirect_url']}?{urlencode(query)}")


def _owner(request: web.Request) -> str:
    return request.match_info.get("org") or "mona"


def faults_of(text: str, world: World) -> list[str]:
    """The faults for which GitHub would not take a manifest."""
    try:
        manifest = json.loads(text)
    except ValueError:
        return ["The manifest is no JSON"]
    name, url = str(manifest.get("name") or ""), str(manifest.get("url") or "")
    hook = manifest.get("hook_attributes") or {}
    faults = [
        (not urlsplit(url).hostname, "Url must be a valid URL"),
        (len(name) > NAME_LIMIT, f"Name is too long (maximum is {NAME_LIMIT} characters)"),
        (
            any(app.slug == name.lower() for app in world.site.apps.values()),
            "Name is already taken",
        ),
        (
            bool(hook) and not _public(str(hook.get("url") or "")),
            "Hook url must be reachable over the Internet",
        ),
        (
            not urlsplit(str(manifest.get("redirect_url") or "")).hostname,
            "Redirect url must be a valid URL",
        ),
    ]
    return [fault for broken, fault in faults if broken] + _unsupported(manifest)


def _unsupported(manifest: Mapping[str, Any]) -> list[str]:
    has = manifest.get("default_permissions") or {}
    lacks = [
        each for each in manifest.get("default_events") or () if _OF_EVENT.get(each, "?") not in has
    ]
    return [f"Default events unsupported: {', '.join(lacks)}"] if lacks else []


def _public(url: str) -> bool:
    host = urlsplit(url).hostname
    return bool(host) and host not in ("localhost", "127.0.0.1", "::1")


def _page(status: int, body: str) -> web.Response:
    text = f"<!doctype html><meta charset=utf-8><title>Create GitHub App</title>{body}"
    return web.Response(status=status, text=text, content_type="text/html")
