"""What the description does not say but GitHub does. Each entry carries its reason."""

from __future__ import annotations

from collections.abc import Mapping

# Status codes that any operation may answer with although few list them; the body is held to `basic-error`.
STATUSES: Mapping[int, str] = {
    401: "no credentials or bad ones: answered by every route, listed by few",
    403: "a missing permission or a rate limit: answered by every route, listed by few",
    404: "what one may not see does not exist: answered by every route, listed by most",
    422: "well-formed but refused: check runs and statuses do it and do not list it",
    304: "conditional requests work on every GET; few operations list it",
    406: "a diff that is too large: commits and comparisons refuse it too, only pull requests list it",
}

# Media types that are documented in prose only: (route, media type) -> reason. Their bodies are not JSON.
MEDIA: Mapping[tuple[str, str], str] = {
    (
        "/repos/{owner}/{repo}/pulls/{pull_number}",
        "application/vnd.github.diff",
    ): "the operation's prose names the diff media type, its schema only lists JSON",
    (
        "/repos/{owner}/{repo}/contents/{path}",
        "application/vnd.github.raw+json",
    ): "the operation's prose names the raw media type, its schema only lists JSON and the object form",
}

# Operations that take a bare list although the description wants an object around it.
BARE_LISTS: Mapping[str, str] = {
    "POST /repos/{owner}/{repo}/issues/{issue_number}/labels": "the older form, which PyGithub still sends",
}

# Query parameters that clients send everywhere and GitHub ignores where they mean nothing.
QUERY: Mapping[str, str] = {
    "per_page": "PyGithub adds it to lists that are not paged",
    "page": "PyGithub adds it to lists that are not paged",
}

# Fields that GitHub sends as null although the description does not allow it.
NULLS: Mapping[str, str] = {
    "head.repo": "lists of pull requests from a fork that was deleted; the description of a single one allows it",
}
