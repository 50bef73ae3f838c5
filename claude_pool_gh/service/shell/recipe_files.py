"""Checks workflows and skills before anything is paid for: every fault with its file and line."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from importlib.resources import files
from pathlib import Path
from typing import Final

from claude_pool_gh.conversation.recipes.recipe_terms import (
    BRIEF,
    BRIEF_RESULT,
    EDITING,
    NAME,
    OF_THE_HOST,
    OF_THE_HOST_TOLD,
    THREAD_FIELDS,
)
from claude_pool_gh.pool.model.errors import RecipeError
from claude_pool_gh.pool.recipes.compile import CompileScope, faults_of
from claude_pool_gh.pool.recipes.library import RecipeLibrary, leads_out, linked
from claude_pool_gh.pool.recipes.skills import Skill, files_named, read_skill, tool_of
from claude_pool_gh.pool.recipes.workflows import Workflow, WorkflowFile, parse_workflow
from claude_pool_gh.service.shell.files import is_file

PROJECT: Final = Path(".github/claude-pool")
USER: Final = Path("~/.config/claude-pool")
_SHELL_TOOLS: Final = EDITING | {"NotebookEdit", "TodoWrite"}
_PROGRAMS: Final = (".py", ".sh", ".js", ".ts", ".rb")


@dataclass(frozen=True, slots=True)
class CheckedFile:
    """The results of checking one recipe's file."""

    path: str
    faults: tuple[str, ...] = ()
    """What keeps it from running, each with its line."""
    notes: tuple[str, ...] = ()
    """What of it has no effect here."""


@dataclass(frozen=True, slots=True)
class ListedRecipe:
    """A workflow or skill that can be named."""

    name: str
    description: str
    source: str
    """`built-in`, or the file that is read in its place."""
    arguments: tuple[str, ...] = field(default=())


def library_at(folder: Path) -> RecipeLibrary:
    """The recipes that hold in a folder: packaged, the user's, the project's, the last one's first."""
    packaged = files("claude_pool_gh.recipes")
    return RecipeLibrary((packaged, USER.expanduser(), folder / PROJECT), checkout=folder)


def own_files(folder: Path) -> tuple[list[Path], list[Path]]:
    """The project's own workflows and skills."""
    own = folder / PROJECT
    return sorted((own / "workflows").glob("*.yml")), sorted((own / "skills").glob("*/SKILL.md"))


def check_all(folder: Path) -> list[CheckedFile]:
    """Check every recipe of a project, as it would run on GitHub."""
    workflows, skills = own_files(folder)
    library = library_at(folder)

    def checked(file: Path, check: Callable[[Path], CheckedFile]) -> CheckedFile:
        if leads_out(file, folder / PROJECT, folder):
            return CheckedFile(str(file), (linked(file),))
        return check(file)

    return [
        *(checked(file, lambda each: check_workflow(each, library)) for file in workflows),
        *(checked(file, check_skill) for file in skills),
    ]


def check_workflow(file: Path, library: RecipeLibrary, *, in_shell: bool = False) -> CheckedFile:
    """Check one workflow, as it would run on GitHub or, `in_shell`, with `claude-pool-gh chain`."""
    try:
        name = "" if in_shell else file.stem
        parsed = parse_workflow(file.read_text("utf-8", errors="replace"), str(file), name)
    except OSError as error:
        return CheckedFile(str(file), (f"cannot be read: {error.strerror}",))
    except RecipeError as error:
        return CheckedFile(str(file), tuple(_of_file(str(error), file)))
    skills, missing = _skills(parsed, library)
    scope = CompileScope(skills=skills, hosts=frozenset(), tools=None)
    if not in_shell:
        scope = replace(
            scope,
            hosts=frozenset({BRIEF}),
            tools=EDITING,
            thread=frozenset(THREAD_FIELDS),
            results={BRIEF: BRIEF_RESULT},
        )
        if _is_of_a_verb(file.name):
            note = f"takes the place of the built-in `{file.stem}`: {_OF_VERBS}"
            return CheckedFile(str(file), tuple(missing), (note,))
        missing += _of_names(file, parsed)
    found = [_of_file(str(error), file) for error in faults_of(parsed.written, scope)]
    lines = (line for several in found for line in several if "unknown skill" not in line)
    return CheckedFile(str(file), tuple(dict.fromkeys([*missing, *lines])))


def _of_names(file: Path, parsed: WorkflowFile) -> Iterator[str]:
    """The faults of names that `/pool run` does not take."""
    if not NAME.fullmatch(file.stem):
        yield (
            f"line 1: `/pool run` takes no workflow of the name `{file.stem}`: rename the file, to lower case letters, "
            "digits, `-` and `_`"
        )
    for step in parsed.written.steps:
        if step.name in OF_THE_HOST:
            (fault,) = _of_file(
                str(parsed.written.error(step, OF_THE_HOST_TOLD.format(step.name))), file
            )
            yield fault


_OF_VERBS: Final = (
    "only its form is checked here; what the command needs of it is checked when it is given"
)


def check_skill(file: Path) -> CheckedFile:
    """Check one skill, and say what of it agents here cannot do."""
    try:
        found = read_skill(file.read_text("utf-8", errors="replace"), file.absolute().parent.name)
    except OSError as error:
        return CheckedFile(str(file), (f"cannot be read: {error.strerror}",))
    if isinstance(found, Skill):
        return CheckedFile(str(file), notes=tuple(_notes(found, file.parent)))
    return CheckedFile(str(file), tuple(map(str, found)))


def workflows_at(folder: Path) -> list[ListedRecipe]:
    """Every workflow that can be run in a folder. A faulty one is described by its first fault."""
    library = library_at(folder)
    return [_listed(library, name) for name in library.workflow_names()]


def skills_at(folder: Path) -> list[ListedRecipe]:
    """Every skill that a workflow in a folder can name. A faulty one is described by its first fault."""
    library = library_at(folder)
    found = []
    for name in library.skill_names():
        try:
            skill = library.skill(name)
        except RecipeError as error:
            found.append(ListedRecipe(name, f"FAULTY: {error}", _source(folder, "skills", name)))
            continue
        arguments = tuple(each.name for each in skill.arguments)
        source = _source(folder, "skills", name)
        found.append(ListedRecipe(name, _one_line(skill.description), source, arguments))
    return found


def eject(name: str, folder: Path) -> list[Path]:
    """Copy a built-in workflow with its skills, or a skill, into a project; what is there already is kept.

    Returns the files that were written. Raises RecipeError where there is no built-in recipe of this name, and where a
    link leads out of the project's.
    """
    packaged = RecipeLibrary((files("claude_pool_gh.recipes"),))
    wanted: list[tuple[str, ...]] = []
    if name in packaged.workflow_names():
        wanted.append(("workflows", f"{name}.yml"))
        own = _skill_names(packaged.workflow(name).workflow)
        wanted += [("skills", skill, "SKILL.md") for skill in own]
    elif name in packaged.skill_names():
        wanted.append(("skills", name, "SKILL.md"))
    else:
        known = ", ".join([*packaged.workflow_names(), *packaged.skill_names()])
        raise RecipeError(f"there is no built-in recipe {name!r}; there are {known}")
    return [path for parts in wanted if (path := _copied(parts, folder)) is not None]


def _copied(parts: Sequence[str], folder: Path) -> Path | None:
    target = (folder / PROJECT).joinpath(*parts)
    if leads_out(target, folder / PROJECT, folder):
        raise RecipeError(f"{target} would be written through a link that leads out: remove it")
    if target.exists():
        return None
    target.parent.mkdir(parents=True, exist_ok=True)
    text = files("claude_pool_gh.recipes").joinpath(*parts).read_text("utf-8")
    target.write_text(text, "utf-8")
    return target


def _skills(parsed: WorkflowFile, library: RecipeLibrary) -> tuple[dict[str, Skill], list[str]]:
    """The skills that a workflow names, and what is wrong with those that cannot be used."""
    found: dict[str, Skill] = {}
    faults: list[str] = []
    for name in _skill_names(parsed.workflow):
        try:
            found[name] = library.skill(name).with_tools(_SHELL_TOOLS)
        except RecipeError as error:
            at = parsed.written.lines.line("steps") if parsed.written.lines else 1
            faults.append(f"line {at}: {error}")
    return found, faults


def _skill_names(workflow: Workflow) -> list[str]:
    every = [part for step in workflow.steps for part in (step, *(step.branches or ()))]
    return sorted({part.skill for part in every if part.skill})


def _is_of_a_verb(name: str) -> bool:
    """True for the file of a workflow that belongs to a command, since steps of the host's are in the built-in one."""
    packaged = files("claude_pool_gh.recipes").joinpath("workflows", name)
    if not packaged.is_file():
        return False
    built_in = parse_workflow(packaged.read_text("utf-8"), name).workflow
    return any(step.host for step in built_in.steps)


def _of_file(error: str, file: Path) -> Iterator[str]:
    """The faults of an error's text, without the name of the file that they are listed under."""
    for part in error.removeprefix(f"{file}").removeprefix(", ").split("; line "):
        yield part if part.startswith("line ") else f"line {part}"


def _notes(skill: Skill, folder: Path) -> Iterator[str]:
    beyond = sorted({tool_of(rule) for rule in skill.allowed_tools} - _SHELL_TOOLS)
    if beyond:
        yield (
            f"{', '.join(beyond)}: agents have no such tool on GitHub, and in a shell only with --trusted; "
            "the skill is used without"
        )
    there = [name for name in files_named(skill.prompt) if is_file(folder / name)]
    if programs := [name for name in there if name.endswith(_PROGRAMS)]:
        yield f"{', '.join(programs)}: agents can read programs, not run them"


def _listed(library: RecipeLibrary, name: str) -> ListedRecipe:
    folder = Path(str(library.folders[-1])).parent.parent
    source = _source(folder, "workflows", f"{name}.yml")
    try:
        workflow = library.workflow(name).workflow
    except RecipeError as error:
        return ListedRecipe(name, f"FAULTY: {error}", source)
    arguments = tuple(each.name for each in workflow.arguments)
    return ListedRecipe(name, _one_line(workflow.description), source, arguments)


def _source(folder: Path, kind: str, name: str) -> str:
    for place in (folder / PROJECT, USER.expanduser()):
        path = place / kind / name
        if path.is_file() or (path / "SKILL.md").is_file():
            return str(path)
    return "built-in"


def _one_line(text: str) -> str:
    return " ".join(text.split())
