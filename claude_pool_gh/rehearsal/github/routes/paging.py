"""Lists in pages, with GitHub's Link header."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar
from urllib.parse import urlencode

from claude_pool_gh.rehearsal.github.routes.call import Answer, Call

T = TypeVar("T")


def number(call: Call, name: str, default: int, most: int) -> int:
    """A number out of the query, kept in its range."""
    try:
        return max(1, min(int(call.query.get(name, default)), most))
    except ValueError:
        return default


def paged(
    call: Call, items: Sequence[T], shape: Callable[[T], Any], envelope: str | None = None
) -> Answer:
    """One page of a list; `envelope` names the key where GitHub wraps the list with its total."""
    shown = [item for item in items if call.site.visible(getattr(item, "id", 0))]
    size, page = number(call, "per_page", 30, 100), number(call, "page", 1, 1_000_000)
    last = max(1, -(-len(shown) // size))
    part = [shape(item) for item in shown[(page - 1) * size : page * size]]
    headers = _links(call, page, last)
    if envelope is not None:
        return Answer(json={"total_count": len(shown), envelope: part}, headers=headers)
    return Answer(json=part, headers=headers)


def _links(call: Call, page: int, last: int) -> dict[str, str]:
    targets: dict[str, int] = {}
    if page > 1:
        targets |= {"prev": page - 1, "first": 1}
    if page < last:
        targets |= {"next": page + 1, "last": last}
    links = [f'<{_url(call, page=str(to))}>; rel="{name}"' for name, to in targets.items()]
    return {"Link": ", ".join(links)} if links else {}


def _url(call: Call, **changes: str) -> str:
    return f"{call.site.api_url}{call.path}?{urlencode({**call.query, **changes})}"


def cursor_link(call: Call, cursor: str) -> dict[str, str]:
    """The Link header of a list that is paged by cursor."""
    return {"Link": f'<{_url(call, cursor=cursor)}>; rel="next"'}
