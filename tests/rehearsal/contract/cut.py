"""Cuts GitHub's OpenAPI description to the routes and webhooks that the simulation serves.

    npm pack @octokit/openapi@23.0.2
    tar xzf octokit-openapi-23.0.2.tgz package/generated/api.github.com.json
    python tests/rehearsal/contract/cut.py package/generated/api.github.com.json

writes `github-openapi.json` beside this file. Routes come from the simulation's own table, so run it again
after adding one; webhooks are listed below. A webhook's schema becomes a request to `POST /webhooks/<name>`,
which lets one checker do both. Descriptions and examples go, and discriminators, which the checker would look
for in lists too; `nullable` enums get the null that the description forgets.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from claude_pool_gh.rehearsal.github.routes import ROUTES
from claude_pool_gh.rehearsal.github.routes.graphql import PATH as GRAPHQL

HERE = Path(__file__).parent
TARGET = HERE / "github-openapi.json"
WEBHOOKS = (
    "check-run-requested-action",
    "check-run-rerequested",
    "check-suite-rerequested",
    "installation-created",
    "installation-deleted",
    "installation-suspend",
    "installation-unsuspend",
    "installation-repositories-added",
    "installation-repositories-removed",
    "issue-comment-created",
    "issue-comment-deleted",
    "issue-comment-edited",
    "issues-closed",
    "issues-deleted",
    "issues-edited",
    "issues-labeled",
    "issues-locked",
    "issues-opened",
    "issues-reopened",
    "issues-transferred",
    "issues-unlabeled",
    "ping",
    "pull-request-closed",
    "pull-request-edited",
    "pull-request-labeled",
    "pull-request-locked",
    "pull-request-opened",
    "pull-request-ready-for-review",
    "pull-request-reopened",
    "pull-request-review-comment-created",
    "pull-request-review-comment-deleted",
    "pull-request-review-comment-edited",
    "pull-request-review-submitted",
    "pull-request-synchronize",
    "pull-request-unlabeled",
    "push",
    "repository-archived",
    "repository-deleted",
    "repository-renamed",
    "repository-transferred",
    "repository-unarchived",
)
# Errors that most operations can answer but few of them list; the checker judges those bodies by this schema.
ALSO = ("#/components/schemas/basic-error",)
DROPPED = (
    "description",
    "summary",
    "example",
    "examples",
    "externalDocs",
    "tags",
    "title",
    "links",
    "default",
    "discriminator",
)
METHODS = ("get", "post", "put", "patch", "delete")

Json = Any


def slim(value: Json, *, names: bool = False) -> Json:
    """The same without prose; `names` marks a mapping whose keys are names that somebody chose."""
    if isinstance(value, list):
        return [slim(one) for one in value]
    if not isinstance(value, dict):
        return value
    kept = {
        key: slim(
            one,
            names=key in ("properties", "schemas", "paths", "parameters", "headers") and not names,
        )
        for key, one in value.items()
        if names or not (key in DROPPED or key.startswith("x-"))
    }
    if not names and kept.get("nullable") and "enum" in kept and None not in kept["enum"]:
        kept["enum"] = [*kept["enum"], None]
    return kept


def references(value: Json) -> set[str]:
    """Every reference below a value."""
    if isinstance(value, dict):
        found = {value["$ref"]} if isinstance(value.get("$ref"), str) else set()
        return found.union(*(references(one) for one in value.values()))
    if isinstance(value, list):
        return set().union(*(references(one) for one in value))
    return set()


def close(paths: Json, whole: Json) -> dict[str, dict[str, Json]]:
    """The components that the paths need, and those that these need."""
    components: dict[str, dict[str, Json]] = {}
    todo, done = references(paths) | set(ALSO), set()
    while todo:
        reference = todo.pop()
        done.add(reference)
        _, _, kind, name = reference.split("/")
        found = slim(whole["components"][kind][name])
        components.setdefault(kind, {})[name] = found
        todo |= references(found) - done
    return {kind: dict(sorted(found.items())) for kind, found in sorted(components.items())}


def served() -> list[tuple[str, str]]:
    """Method and template of every simulated route."""
    return sorted((route.template, route.method.lower()) for route in ROUTES)


def mend(whole: Json) -> None:
    """Put right where the description contradicts itself.

    The list of installations wants each account to be a user *and* an enterprise; one alone wants either. A review
    comment whose lines are gone from the diff has neither `line` nor `position`: GitHub answers null for both. The
    head of a pull request whose fork was deleted has no repository, as the webhooks' schemas know.
    """
    comment = whole["components"]["schemas"]["pull-request-review-comment"]["properties"]
    for name in ("line", "position", "start_line"):
        comment[name]["nullable"] = True
    head = whole["components"]["schemas"]["pull-request"]["properties"]["head"]["properties"]
    head["repo"] = {"$ref": "#/components/schemas/nullable-repository"}
    listing = whole["paths"]["/app/installations"]["get"]["responses"]["200"]["content"][
        "application/json"
    ]
    listing["schema"]["items"] = {"$ref": "#/components/schemas/installation"}


def cut(whole: Json) -> Json:
    """The part of the description that the simulation answers to."""
    mend(whole)
    paths: dict[str, dict[str, Json]] = {}
    for template, method in served():
        if template == GRAPHQL:  # it has a description of its own
            continue
        item = whole["paths"][template]
        kept = paths.setdefault(template, {})
        kept[method] = slim(item[method])
        if "parameters" in item:
            kept["parameters"] = slim(item["parameters"])
    for name in WEBHOOKS:
        body = whole["x-webhooks"][name]["post"]["requestBody"]
        responses = {"200": {"description": "ok"}}
        paths[f"/webhooks/{name}"] = {"post": {"requestBody": slim(body), "responses": responses}}
    return {
        "openapi": whole["openapi"],
        "info": {"title": whole["info"]["title"], "version": whole["info"]["version"]},
        "servers": [{"url": "https://api.github.com"}],
        "paths": paths,
        "components": close(paths, whole),
    }


def main() -> None:
    """Cut the file named on the command line."""
    whole = json.loads(Path(sys.argv[1]).read_text())
    TARGET.write_text(json.dumps(cut(whole), separators=(",", ":"), sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
