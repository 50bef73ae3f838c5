"""The questions of `doctor` to GitHub about the App, its webhook and its installations, through PyGithub."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from claude_pool_gh.github import intake
from claude_pool_gh.github.access import PERMISSIONS, PUSHING
from claude_pool_gh.service.doctor.diagnosis import Diagnosis
from claude_pool_gh.service.monitoring.clock_skew import SKEW_SECONDS, skew_of
from claude_pool_gh.service.server.serve import check_key
from claude_pool_gh.service.setting_types import without_login
from claude_pool_gh.service.settings import PREFIX, Settings

_UNASKED: Final = {"installation", "installation_repositories", "check_suite"}
"""Events that GitHub sends to every App, or to every App that may write checks."""
QUEUE: Final = "merge_group"
"""What only an App needs whose check a merge queue waits for. GitHub offers it beside the permission alone."""
EVENTS: Final = tuple(sorted({event for event, _ in intake.EVENTS} - _UNASKED - {QUEUE}))
"""What the App must be subscribed to; every App hears of its installations."""
_RANK: Final = {"": 0, "read": 1, "write": 2, "admin": 3}


def examine(settings: Settings) -> Iterator[Diagnosis]:
    """The App as GitHub knows it. What cannot be asked is one sign that names the most likely cause."""
    from github import Auth, GithubException, GithubIntegration  # noqa: PLC0415 - `serve` never imports it

    if not settings.app_id:
        yield Diagnosis(
            "GitHub App",
            "not configured",
            f"make one: claude-pool-gh init --app; or set {PREFIX}APP_ID to the id on its page",
        )
        return
    try:
        check_key(settings)
    except ValueError:
        yield Diagnosis("GitHub App", "not asked", "first fix the private key, see above")
        return
    try:
        key = settings.key
        auth = Auth.AppAuth(settings.app_id, key)
        integration = GithubIntegration(
            auth=auth, base_url=settings.github_api_url, retry=None, timeout=15
        )
        app = integration.get_app()
        installations = [each.raw_data for each in integration.get_installations()]
        hook, sent = _webhook(integration)
    except GithubException as error:
        yield Diagnosis(
            "GitHub App",
            f"GitHub answered {error.status}: {_message(error)}",
            _cause(settings, error),
        )
        return
    except OSError as error:  # of the network, as those of requests are
        found = f"{settings.github_api_url} cannot be reached: {_reason(error)}"
        way = without_login(settings.proxy) or "not set"
        fix = f"check GITHUB_API_URL and this machine's way to it ({PREFIX}PROXY is {way})"
        yield Diagnosis("GitHub App", found, fix)
        return
    except Exception as error:  # noqa: BLE001 - a key that is no key, an answer that is no JSON
        yield Diagnosis(
            "GitHub App", f"{type(error).__name__}: {str(error)[:200]}", _unreachable(settings)
        )
        return
    yield Diagnosis("GitHub App", f"{app.name} ({app.slug})")
    yield _permissions(dict(app.permissions))
    if _asks_itself(settings, hook):
        found = (
            f"none; comments are read every {settings.poll:g} seconds, and nothing else is noticed"
        )
        yield Diagnosis("webhook", found)
    else:
        yield _events(list(app.events))
        yield from _hook(settings, hook, sent)
    yield from _installations(app.slug, installations)


def _webhook(integration: Any) -> tuple[Mapping[str, Any], Sequence[Any]]:
    """The App's webhook and its last deliveries; nothing where the App was made without one."""
    from github import UnknownObjectException  # noqa: PLC0415

    asked = integration.requester.requestJsonAndCheck
    path = "/app/hook/config"
    try:
        hook, sent = asked("GET", path)[1], asked("GET", "/app/hook/deliveries?per_page=20")[1]
        # PyGithub enters the address that it asked where an answer has none.
        return {name: value for name, value in hook.items() if value != path}, sent
    except UnknownObjectException:
        integration.get_app()  # an App that is not known is answered in the same way: that is no webhook missing
        return {}, ()


def _asks_itself(settings: Settings, hook: Mapping[str, Any]) -> bool:
    """True where the server is meant to do without a webhook: nobody sets both by mistake."""
    return not hook.get("url") and "poll" in settings.model_fields_set and bool(settings.poll)


def _reason(error: OSError) -> str:
    """The end of what requests and urllib3 say of the network: the rest names their classes."""
    cause = getattr(error.args[0] if error.args else None, "reason", error)
    return re.sub(r"['\"]\)+$", "", str(cause).rpartition(": ")[2]) or type(error).__name__


def _message(error: Any) -> str:
    data = error.data if isinstance(error.data, Mapping) else {}
    return str(data.get("message") or error.data)[:200]


def _cause(settings: Settings, error: Any) -> str:
    """The one most likely cause of a refusal."""
    skew = skew_of(error.headers or {})
    if skew is not None and skew > SKEW_SECONDS:
        return f"set this machine's clock: it is {skew:.0f} seconds away from GitHub's"
    if "ntegration" in _message(error) and error.status == 404:
        return f"check {PREFIX}APP_ID: GitHub knows no App {settings.app_id}"
    if error.status == 404:
        return _unreachable(settings)
    return f"check the App's id, its private key: {PREFIX}APP_ID and the private key are not of the same App"


def _unreachable(settings: Settings) -> str:
    url = settings.github_api_url.rstrip("/")
    if not url.endswith(("/api/v3", "//api.github.com")):
        return f"check GITHUB_API_URL: {url} is no address of GitHub's API (Enterprise Server: https://HOST/api/v3)"
    return f"check GITHUB_API_URL ({url}), the private key, and this machine's way to GitHub"


def _permissions(has: Mapping[str, str]) -> Diagnosis:
    # `fix` and `implement` push after an approval, and settled threads can be resolved.
    if lacks := _lacks(has):
        return Diagnosis(
            "permissions", "too few", f"give the App: {', '.join(lacks)}; then accept the change"
        )
    more = [name for name, level in has.items() if name not in PERMISSIONS and level != "read"]
    return Diagnosis("permissions", "enough" + (f"; not needed: {', '.join(more)}" if more else ""))


def _lacks(has: Mapping[str, str]) -> list[str]:
    wanted = PERMISSIONS | PUSHING
    return [
        f"{name}: {level}"
        for name, level in wanted.items()
        if _RANK[has.get(name, "")] < _RANK[level]
    ]


def _events(has: list[str]) -> Diagnosis:
    lacks = [name for name in EVENTS if name not in has]
    fix = f"subscribe the App to {', '.join(lacks)}" if lacks else ""
    queue = (
        ""
        if QUEUE in has
        else f"; for a merge queue also {QUEUE}, with the permission merge_queues: read"
    )
    return Diagnosis("events", f"{len(lacks)} missing" if lacks else f"all{queue}", fix)


def _hook(settings: Settings, hook: Any, sent: Any) -> Iterator[Diagnosis]:
    """The address to which GitHub sends events, and how the last ones went."""
    page = "on the App's page, under Webhook"
    url = str(hook.get("url") or "")
    if not url.rstrip("/").endswith("/webhook"):
        where = f"{settings.public_url.rstrip('/') or 'https://YOUR-HOST'}/webhook"
        yield Diagnosis(
            "webhook", f"events are sent to {url or 'nowhere'}", f"set its URL to {where} {page}"
        )
    elif not hook.get("secret"):
        yield Diagnosis(
            "webhook", "no secret is set in the App", f"enter {PREFIX}WEBHOOK_SECRET {page}"
        )
    elif hook.get("content_type") != "json":
        yield Diagnosis(
            "webhook",
            f"events come as {hook.get('content_type')}",
            f"choose application/json {page}",
        )
    else:
        yield Diagnosis("webhook", url)
    if sent:
        codes = [int(each.get("status_code") or 0) for each in sent]
        found = f"{sum(200 <= code < 300 for code in codes)} of the last {len(codes)} arrived"
        if codes[0] == 401:
            yield Diagnosis(
                "deliveries",
                found,
                f"the webhook secrets differ: enter {PREFIX}WEBHOOK_SECRET {page}",
            )
        else:  # while no server runs nothing arrives; `serve` asks for what it missed
            yield Diagnosis("deliveries", f"{found}, the last one with status {codes[0]}")


def _installations(slug: str, installations: Sequence[Mapping[str, Any]]) -> Iterator[Diagnosis]:
    where = f"https://github.com/apps/{slug}/installations/new"
    accounts = ", ".join(str(each["account"]["login"]) for each in installations)
    yield Diagnosis(
        "installations", accounts or "none", "" if installations else f"install the App: {where}"
    )
    for each in installations:
        login = str(each["account"]["login"])
        if each.get("suspended_at"):
            yield Diagnosis("installation", f"{login} is suspended", "its owner must lift that")
        elif lacks := _lacks(each.get("permissions") or {}):
            page = str(each.get("html_url") or "the installation's page on GitHub")
            yield Diagnosis(
                "installation",
                f"{login} has not granted {', '.join(lacks)}",
                f"its owner must accept that: {page}",
            )
