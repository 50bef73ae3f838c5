"""The file that a stated path means: agents write paths as tools and diffs show them."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Final

_AROUND: Final = " \t\r\n`'\"<>"
_PLACE: Final = re.compile(
    r"(?::\d+(?:[-:,\u2013]\d+)?:?|#L\d+(?:-L?\d+)?|\s+\(?lines?\s+\d+(?:\s*[-\u2013]\s*\d+)?\)?)$"
)
_DIFF_PREFIXES: Final = ("a/", "b/")


def candidates(stated: str, known: Collection[str]) -> tuple[str, ...]:
    """The known paths that a stated one can mean, the most literal first; empty where there is none.

    `known` may be large: only membership is asked of it, except for a bare end of a path.
    """
    forms = _forms(stated)
    if not forms:
        return ()
    found = [form for form in forms if form in known]
    for form in forms:
        # the agent's own folder lies before it: the longest part that is a file
        if form.startswith("/"):
            parts = form.strip("/").split("/")
            found += [part for at in range(len(parts)) if (part := "/".join(parts[at:])) in known]
    if not found:
        shortest = forms[-1].lstrip("/")
        ends = [path for path in known if path.endswith(f"/{shortest}")] if shortest else []
        found = ends if len(ends) == 1 else []
    return tuple(dict.fromkeys(found))


def _forms(stated: str) -> list[str]:
    """The path as stated, and with ever more of what is no part of it taken away."""
    forms = [stated, stated.strip(_AROUND)]
    forms.append(_PLACE.sub("", forms[-1]).strip(_AROUND))
    forms.append(forms[-1].removeprefix("file://").replace("\\", "/"))
    while forms[-1].startswith("./"):
        forms.append(forms[-1].removeprefix("./").lstrip("/"))
    forms += [
        form.removeprefix(prefix)
        for prefix in _DIFF_PREFIXES
        if (form := forms[-1]).startswith(prefix)
    ]
    return list(dict.fromkeys(form for form in forms if form))
