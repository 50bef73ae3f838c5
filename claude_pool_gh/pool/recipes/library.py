"""Skills and workflows by name, from several folders: a later one's file replaces an earlier one's.

Packaged, then the user's, then the project's; what is added at run time goes before all of them. A file is read when
it is asked for, so that a faulty one harms nobody who does not use it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.resources.abc import Traversable
from pathlib import Path

from claude_pool_gh.pool.model import arguments
from claude_pool_gh.pool.model.errors import RecipeError
from claude_pool_gh.pool.recipes.skills import Skill, files_named, parse_skill
from claude_pool_gh.pool.recipes.workflows import Workflow, WorkflowFile, Written, parse_workflow
from claude_pool_gh.pool.recipes.yaml_file import no_such

Folder = Path | Traversable


def leads_out(file: Path, folder: Path, checkout: Path) -> bool:
    """True where a file, or the folder of recipes it is in, is in truth elsewhere: links lead there."""
    return not file.resolve().is_relative_to(checkout.resolve() / folder.relative_to(checkout))


def linked(file: Path | Traversable) -> str:
    """The words for a recipe that is not read, since a link leads out of its folder."""
    return (
        f"{file} is not read: a link leads out of the folder of recipes. Put the file itself there"
    )


@arguments.checked_methods
@dataclass(slots=True)
class RecipeLibrary:
    """The places where recipes are looked up. Each folder may hold `skills/NAME/SKILL.md` and `workflows/NAME.yml`."""

    folders: Sequence[Folder] = ()
    added_skills: dict[str, Skill] = field(default_factory=dict)
    added_workflows: dict[str, Workflow] = field(default_factory=dict)
    skill_tools: frozenset[str] | None = None
    """The tools that agents can have: others that a skill's file names are left out. None: any."""
    checkout: Path | None = None
    """A repository's working folder, if one of `folders` is below it. Recipes there are a stranger's, and what they say
    goes into prompts: none is read through a link that leads out of their folder."""

    def skill(self, name: str) -> Skill:
        """A skill. Raises RecipeError where there is none, or it is faulty."""
        if name in self.added_skills:
            return self.added_skills[name]
        found = self._find("skills", name, "SKILL.md")
        if found is None:
            raise RecipeError(no_such("skill", name, self.skill_names()))
        skill = parse_skill(found.read_text("utf-8"), str(found), name)
        return skill.with_files(self._bundled(name, skill)).with_tools(self.skill_tools)

    def workflow(self, name: str) -> WorkflowFile:
        """A workflow. Raises RecipeError where there is none, or it is faulty."""
        if name in self.added_workflows:
            own = self.added_workflows[name]
            names = frozenset(argument.name for argument in own.arguments)
            return WorkflowFile(own, Written(tuple(own.steps), names, f"workflow {name}"))
        found = self._find("workflows", f"{name}.yml")
        if found is None:
            raise RecipeError(no_such("workflow", name, self.workflow_names()))
        return parse_workflow(found.read_text("utf-8"), str(found), name)

    def add(self, recipe: Skill | Workflow) -> None:
        """Add a recipe for this run; it goes before every file of its name."""
        match recipe:
            case Skill():
                self.added_skills[recipe.name] = recipe
            case Workflow():
                self.added_workflows[recipe.name] = recipe

    def remove(self, name: str) -> bool:
        """Remove an added skill or workflow; a file of its name shows again. False when none was added."""
        skill, workflow = self.added_skills.pop(name, None), self.added_workflows.pop(name, None)
        return skill is not None or workflow is not None

    def skill_names(self) -> list[str]:
        """Every skill there is."""
        return sorted({*self.added_skills, *self._names("skills", "")})

    def workflow_names(self) -> list[str]:
        """Every workflow there is."""
        return sorted({*self.added_workflows, *self._names("workflows", ".yml")})

    def _bundled(self, name: str, skill: Skill) -> dict[str, str]:
        """The files in a skill's folder that its text names, as far as they are texts."""
        found = {}
        for path in files_named(skill.prompt):
            parts = path.split("/")
            file = self._find("skills", name, *parts)
            if file is not None:
                with suppress(UnicodeDecodeError):
                    found[path] = file.read_text("utf-8")
        return found

    def _find(self, *parts: str) -> Folder | None:
        if any("/" in part or part.startswith(".") for part in parts):
            return None
        for folder in reversed(self.folders):
            file = folder.joinpath(*parts)
            if file.is_file():
                if self._leads_out(folder, file):
                    raise RecipeError(linked(file))
                return file
        return None

    def _leads_out(self, folder: Folder, file: Folder) -> bool:
        return (
            self.checkout is not None
            and isinstance(folder, Path)
            and isinstance(file, Path)
            and folder.is_relative_to(self.checkout)
            and leads_out(file, folder, self.checkout)
        )

    def _names(self, kind: str, ending: str) -> Iterator[str]:
        for folder in self.folders:
            here = folder.joinpath(kind)
            if here.is_dir() and not self._leads_out(folder, here):
                names = (
                    entry.name for entry in here.iterdir() if not entry.name.startswith((".", "_"))
                )
                yield from (name.removesuffix(ending) for name in names if name.endswith(ending))
