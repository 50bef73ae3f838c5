"""The keys of workflow files and skills, from the models that read them."""

from __future__ import annotations

from enum import Enum
from importlib.resources import files
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel

from claude_pool_gh.conversation.recipes.recipe_terms import THREAD_FIELDS
from claude_pool_gh.pool.model.conditions import Condition
from claude_pool_gh.pool.model.config import TaskOverrides
from claude_pool_gh.pool.recipes.library import RecipeLibrary
from claude_pool_gh.pool.recipes.skills import Argument, Skill
from claude_pool_gh.pool.recipes.workflows import ChainStep, Workflow
from docs._reference.markdown import code, facts, field_texts, sentence, table

_PARTS: tuple[tuple[str, type[BaseModel]], ...] = (
    ("The file", Workflow),
    ("`arguments`", Argument),
    ("`steps`", ChainStep),
    ("`when` of a step", Condition),
    ("`config` of a step", TaskOverrides),
    ("The front matter of a `SKILL.md`", Skill),
)


def page() -> str:
    """A table for each kind of mapping in a file, then the names that a repository's own file may use."""
    parts = [f"## {title}\n\n{_table(kind)}" for title, kind in _PARTS]
    names = ", ".join(code(f"{{thread.{name}}}") for name in THREAD_FIELDS)
    parts.append(f"## Placeholders of the thread\n\n{names}\n\n")
    library = RecipeLibrary((files("claude_pool_gh.recipes"),))
    for title, found in (
        ("workflows", library.workflow_names()),
        ("skills", library.skill_names()),
    ):
        parts.append(f"## Built-in {title}\n\n{', '.join(map(code, sorted(found)))}\n\n")
    return "".join(parts)


def _table(kind: type[BaseModel]) -> str:
    texts = field_texts(kind)
    rows = []
    for name, field in kind.model_fields.items():
        if kind is Skill and name == "prompt":
            continue  # the text below the front matter
        default = field.get_default(call_default_factory=True)
        needed = field.is_required()
        rows.append(
            (
                code(field.alias or name),
                sentence(texts.get(name, ""))
                + facts(
                    "required" if needed else "",
                    _kind(field.annotation),
                    default="" if needed else _shown(default),
                ),
            )
        )
    return table(("key", "meaning"), rows)


def _shown(default: object) -> str:
    match default:
        case None | "" | () | {}:
            return ""
        case Enum():
            return code(default.value)
        case BaseModel():
            return ""
        case bool():
            return code(str(default).lower())
        case _:
            return code(default)


def _kind(annotation: Any) -> str:
    """The values of a field, in words."""
    origin, inside = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _kind(inside[0])
    if origin in (Union, UnionType):
        return " or ".join(dict.fromkeys(_kind(each) for each in inside if each is not NoneType))
    if origin is Literal:
        return ", ".join(map(code, inside))
    if origin in (tuple, list) or (isinstance(origin, type) and origin.__name__ == "Sequence"):
        return f"list of {_kind(inside[0])}"
    if origin is dict or annotation is dict:
        return "mapping"
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return ", ".join(code(each.value) for each in annotation)
    names = {str: "text", int: "whole number", float: "number", bool: "`true` or `false`"}
    if annotation in names:
        return names[annotation]
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return {"ChainStep": "steps", "Argument": "arguments"}.get(annotation.__name__, "mapping")
    return "any value"
