"""The maintainers' rules for whoever works on their code: `AGENTS.md` and `CLAUDE.md`, of the default branch alone.

It is the maintainers' own word, so it stands in the system prompt, outside the fence around what others wrote.
Invariant: nothing of a pull request's head is taken for guidance.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Final

from claude_pool_gh.conversation.facts import ThreadFacts
from claude_pool_gh.conversation.recipes.recipe_terms import BRIEF, THREAD_FIELDS
from claude_pool_gh.conversation.services import Services
from claude_pool_gh.github import reads
from claude_pool_gh.pool.model.plan import AgentRun, Branches, HostCall, Step
from claude_pool_gh.pool.model.render import in_place_of, placeholders, thread_fields
from claude_pool_gh.worktrees import history

GUIDES: Final = ("AGENTS.md", "CLAUDE.md", ".claude/CLAUDE.md")
HEADING: Final = "Rules of this repository's maintainers, from the default branch. Keep to them:"
_LIMIT: Final = 12_000
_LEAST: Final = 1_500
"""Characters that every guide gets, however many there are."""
_FOLDERS_LIMIT: Final = 60
_LISTED_LIMIT: Final = 20
_IMPORT: Final = re.compile(
    r"^[ \t]*(?:[-*][ \t]+)?@(?:\./)?([\w][\w./-]*\.\w+)[ \t]*$", re.MULTILINE
)
"""A line that only names another file in which rules stand."""
_IMPORTS_LIMIT: Final = 5


async def guidance(
    services: Services, facts: ThreadFacts, paths: Sequence[str], *, own: str = ""
) -> str:
    """The rules for whoever works on these files, the nearest folder's last. Raises ForgeError and WorktreeError.

    `own`: what the repository has written for this verb alone, in place of them.
    """
    if own.strip():
        return told({".github/claude-pool/review.md": own})
    branch = await _default_head(services, facts)
    mirror = await services.worktrees.fetch(
        facts.thread.repository.id, [branch], [f"refs/heads/{facts.default_branch}"]
    )
    return await guidance_at(mirror, branch, paths, elsewhere=facts.place == "issue")


async def guidance_at(
    git_dir: Path, commit: str, paths: Sequence[str] = (), *, elsewhere: bool = True
) -> str:
    """The rules that stand at a commit of the maintainers' own. `elsewhere`: those of other folders are named."""
    found = await history.read_files(git_dir, commit, wanted(paths))
    found |= await history.read_files(git_dir, commit, imported(found))
    return told(found, await _elsewhere(git_dir, commit, found) if elsewhere else [])


def wanted(paths: Iterable[str]) -> list[str]:
    """The guides that count for these files: in the root, and in every folder above them. Pure."""
    folders = {".", *(str(folder) for path in paths for folder in PurePosixPath(path).parents)}
    nearest = sorted(folders, key=lambda folder: (folder != ".", folder.count("/"), folder))[
        :_FOLDERS_LIMIT
    ]
    return [f"{folder}/{name}".removeprefix("./") for folder in nearest for name in GUIDES]


def imported(found: Mapping[str, str]) -> list[str]:
    """The files that guides name on a line of their own, beside themselves: `@docs/rules.md`. Pure."""
    named = [
        str(PurePosixPath(path).parent / name)
        for path, text in found.items()
        for name in _IMPORT.findall(_uncommented(text))
    ]
    return [path for path in dict.fromkeys(named) if path not in found and ".." not in path][
        :_IMPORTS_LIMIT
    ]


def told(found: Mapping[str, str], elsewhere: Sequence[str] = ()) -> str:
    """Guides as the agent is told them: the root's first, each text once, none longer than its share. Pure."""
    once: dict[str, str] = {}
    for path, text in sorted(found.items(), key=lambda item: (item[0].count("/"), item[0])):
        said = _IMPORT.sub("", _uncommented(text)).strip()
        if said and said not in once.values():
            once[path] = said
    share = max(_LEAST, _LIMIT // max(1, len(once)))
    parts = [f"From {path}:\n\n{_cut(text, share)}" for path, text in once.items()]
    if elsewhere:
        listed = ", ".join(elsewhere[:_LISTED_LIMIT])
        parts.append(
            f"There are more for other folders; read the nearest before you work there: {listed}"
        )
    return f"{HEADING}\n\n" + "\n\n".join(parts)[: 2 * _LIMIT] if parts else ""


def _uncommented(text: str) -> str:
    """Without HTML comments, in linear time: after one that never ends, no other does."""
    parts, at = [], 0
    while (start := text.find("<!--", at)) >= 0 and (end := text.find("-->", start + 4)) >= 0:
        parts.append(text[at:start])
        at = end + 3
    return "".join([*parts, text[at:]])


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[:limit]}\n(the rest of this file is left out)"


async def _elsewhere(mirror: Path, branch: str, found: Mapping[str, str]) -> list[str]:
    """Guides of other folders; agents see the default branch itself, so what they read there is the maintainers'."""
    every = await history.list_paths(mirror, branch)
    own = ("AGENTS.md", "CLAUDE.md")
    return [path for path in every if PurePosixPath(path).name in own and path not in found]


async def _default_head(services: Services, facts: ThreadFacts) -> str:
    """The default branch's commit as it was when the command came, where that is known."""
    if facts.base and facts.base_ref == facts.default_branch:
        return facts.base
    return await reads.branch_head(services.forge, facts.thread.repository, facts.default_branch)


# ---- put into every agent's instructions


def guided(steps: Sequence[Step]) -> tuple[Step, ...]:
    """The steps, with the guidance in every agent's instructions that does not name it already. Pure.

    It comes from the workflow's own brief; where it has none, one is put before its first step.
    """
    brief = next(
        (step for step in steps if isinstance(step, HostCall) and step.call.endswith(".brief")),
        None,
    )
    if brief is None or _asks_before(steps, brief):
        taken = {step.name for step in steps}
        name = next(
            name
            for name in ("brief", *(f"brief{n}" for n in range(len(taken) + 1)))
            if name not in taken
        )
        brief = HostCall(name=name, call=BRIEF)
        steps = (brief, *steps)
    path, after = f"steps.{brief.name}.guidance", False
    thread = {name: f"steps.{brief.name}.{field}" for name, field in THREAD_FIELDS.items()}
    done: list[Step] = []
    for step in steps:
        match step:
            case AgentRun() if after:
                done.append(_told(_of_thread(step, thread), path))
            case Branches() if after:
                runs = tuple(_told(_of_thread(run, thread), path) for run in step.branches)
                done.append(step.model_copy(update={"branches": runs}))
            case _:
                done.append(step)
        after = after or step is brief
    return tuple(done)


def _asks_before(steps: Sequence[Step], brief: HostCall) -> bool:
    """True where an agent before the brief asks for a part of the thread."""
    for step in steps:
        if step is brief:
            return False
        runs = step.branches if isinstance(step, Branches) else (step,)
        if any(_thread_asked(run) for run in runs if isinstance(run, AgentRun)):
            return True
    return False


def _thread_asked(run: AgentRun) -> bool:
    arguments = (run.arguments or {}).values()
    texts = (run.system, run.prompt, run.title, run.recovery or "", *arguments)
    return any(list(thread_fields(text)) for text in texts)


def _of_thread(run: AgentRun, paths: Mapping[str, str]) -> AgentRun:
    """A run whose `{thread.NAME}` names the brief's results."""
    arguments = run.arguments
    if arguments is not None:
        arguments = {name: in_place_of(text, paths) for name, text in arguments.items()}
    texts = {name: in_place_of(getattr(run, name), paths) for name in ("system", "prompt", "title")}
    recovery = None if run.recovery is None else in_place_of(run.recovery, paths)
    return run.model_copy(update={**texts, "arguments": arguments, "recovery": recovery})


def _told(run: AgentRun, path: str) -> AgentRun:
    """A run that is told the guidance: after its instructions or, where these are in its prompt, before that."""
    if path in {*placeholders(run.system), *placeholders(run.prompt)}:
        return run
    if run.system:
        return run.model_copy(update={"system": f"{run.system}\n\n{{{path}}}"})
    return run.model_copy(update={"prompt": f"{{{path}}}\n\n{run.prompt}"})
