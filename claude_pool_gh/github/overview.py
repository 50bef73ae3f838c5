"""One query for what every command needs: its thread, and the default branch with its configuration.

Two things are not asked of it. The role: GraphQL lists collaborators only to those who may push, by
login, without custom roles and without those who may only read, so `reads.role_of` asks REST and
compares the numeric id. The text of a comment: a delivery names it by its number, by which GraphQL
finds nothing.

Where the query is refused, such as for a permission that is missing, or where its answer has another
form, as on a server that does not know one of its fields, REST is asked instead, for one thing at a
time: so what is refused is refused by name. A fault that passes is no reason for that.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any, Final

from claude_pool_gh.github.api import Forge
from claude_pool_gh.github.client import checked
from claude_pool_gh.github.errors import ForgeRefused, NotFound, Unreadable
from claude_pool_gh.github.reads import GHOST, Issue, Pull, branch_head, default_branch
from claude_pool_gh.github.trusted import (
    Listed,
    Listing,
    TrustedFiles,
    file_of,
    is_link,
    listing_of,
)
from claude_pool_gh.terms.ids import Actor, Repository, Thread

logger = logging.getLogger(__name__)

_AUTHOR: Final = """
        author {
          __typename
          login
          ... on Bot { databaseId }
          ... on Mannequin { databaseId }
          ... on Organization { databaseId }
          ... on User { databaseId }
        }"""
_SHARED: Final = f"""
        number
        title
        body
        closed
        locked
        labels(first: 100) {{ nodes {{ name }} }}{_AUTHOR}"""
OVERVIEW: Final = f"""
query CommandOverview($owner: String!, $name: String!, $number: Int!, $config: String!) {{
  repository(owner: $owner, name: $name) {{
    databaseId
    defaultBranchRef {{
      name
      target {{
        __typename
        oid
        ... on Commit {{
          tree {{ entries {{ name type mode }} }}
          github: file(path: ".github") {{
            object {{ __typename ... on Tree {{ entries {{ name type mode }} }} }}
          }}
          config: file(path: $config) {{
            mode
            object {{ __typename ... on Blob {{ oid byteSize isBinary isTruncated text }} }}
          }}
        }}
      }}
    }}
    issueOrPullRequest(number: $number) {{
      __typename
      ... on Issue {{{_SHARED}
      }}
      ... on PullRequest {{{_SHARED}
        isDraft
        headRefName
        headRefOid
        headRepository {{ databaseId }}
        baseRefName
        baseRefOid
      }}
    }}
  }}
}}
"""


@dataclass(frozen=True, slots=True)
class ThreadState:
    """An issue or a pull request as it is now."""

    issue: Issue
    pull: Pull | None


@dataclass(frozen=True, slots=True)
class Overview:
    """The facts on which a command is decided."""

    files: TrustedFiles
    thread: ThreadState | None
    """None where only REST may answer: whoever needs it asks there."""


async def overview(forge: Forge, thread: Thread, config: str) -> Overview:
    """Ask for it; `config` is the path of the configuration. Raises ForgeError."""
    try:
        return await _by_query(forge, thread, config)
    except _OtherRepository as other:
        raise NotFound(404, str(other)) from None
    except (ForgeRefused, Unreadable) as why:
        logger.info("asked by REST: %s", why, extra={"action": "read_by_rest"})
    return Overview(await by_rest(forge, thread.repository), None)


async def by_rest(forge: Forge, repository: Repository) -> TrustedFiles:
    """The default branch's files by REST alone: each is read when it is asked for. Raises ForgeError."""
    branch = await default_branch(forge, repository)
    try:
        commit = await branch_head(forge, repository, branch)
    except NotFound:  # a repository without a commit
        commit = ""
    return TrustedFiles(forge, repository, branch=branch, commit=commit)


class _OtherRepository(Exception):
    """The name belongs to another repository by now."""


@checked
async def _by_query(forge: Forge, thread: Thread, config: str) -> Overview:
    place = thread.repository
    variables = {
        "owner": place.owner,
        "name": place.name,
        "number": thread.number,
        "config": config,
    }
    found = (await forge.ask(place, OVERVIEW, **variables))["repository"]
    if int(found["databaseId"]) != place.id:
        raise _OtherRepository(f"{place.full_name} is the name of another repository now")
    branch = found["defaultBranchRef"]
    files = TrustedFiles(
        forge,
        place,
        branch=str(branch["name"]),
        commit=str(branch["target"]["oid"]),
        listing=_listing(branch["target"], config),
    )
    return Overview(files, state_of(found["issueOrPullRequest"]))


def _listing(commit: Any, config: str) -> Listing:
    listing = listing_of("", commit["tree"])
    folder, file = commit["github"], commit["config"]
    if folder is not None and "entries" in (folder["object"] or {}):
        listing |= listing_of(".github", folder["object"])
    if file is not None and not is_link(file):
        known = file_of(config, file["object"] or {})
        if known is not Listed.unread:
            listing |= Listing({}, {config: known})
    return listing


def state_of(answer: Any) -> ThreadState:
    """A thread in the form of the query's answer. Pure."""
    is_pull = answer["__typename"] == "PullRequest"
    author = _actor(answer["author"])
    issue = Issue(
        number=int(answer["number"]),
        title=str(answer["title"]),
        body=str(answer["body"]),
        author=author,
        open=not answer["closed"],
        locked=bool(answer["locked"]),
        is_pull=is_pull,
        labels=tuple(str(each["name"]) for each in answer["labels"]["nodes"]),
    )
    return ThreadState(issue, _pull(answer, issue) if is_pull else None)


def _pull(answer: Any, issue: Issue) -> Pull:
    fork = answer["headRepository"]
    return Pull(
        number=issue.number,
        title=issue.title,
        body=issue.body,
        author=issue.author,
        open=issue.open,
        draft=bool(answer["isDraft"]),
        head=str(answer["headRefOid"]),
        head_ref=str(answer["headRefName"]),
        head_repository_id=None if fork is None else int(fork["databaseId"]),
        base_ref=str(answer["baseRefName"]),
        base=str(answer["baseRefOid"]),
    )


def _actor(author: Any) -> Actor:
    """An account as REST names it: GraphQL leaves out what tells a bot's login from a person's."""
    if author is None:
        return GHOST
    kind, login = author["__typename"], str(author["login"])
    named = f"{login}[bot]" if kind == "Bot" and not login.endswith("[bot]") else login
    return Actor(id=int(author["databaseId"]), login=named, is_human=kind == "User")
