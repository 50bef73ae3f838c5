"""Whether a JSON Schema lets only such answers through as a model can read."""

from __future__ import annotations

from typing import Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict

from claude_pool_gh.conversation.agent_verb import AgentVerb
from claude_pool_gh.conversation.recipes.schema_fit import misfit
from claude_pool_gh.conversation.registry import handlers
from claude_pool_gh.findings.model import Claim, Findings, Judgement


class Place(BaseModel):
    path: str
    line: int = 1


class Answer(BaseModel):
    model_config = ConfigDict(extra="forbid")

    text: str
    share: float = 0.0
    kind: Literal["good", "bad"] = "good"
    places: tuple[Place, ...] = ()
    note: str | None = None


def schema(required: tuple[str, ...] = ("text",), **properties: Any) -> dict[str, Any]:
    known = {"text": {"type": "string"}} | properties
    return {
        "type": "object",
        "additionalProperties": False,
        "required": list(required),
        "properties": known,
    }


PLACE = {"type": "object", "required": ["path"], "properties": {"path": {"type": "string"}}}


@pytest.mark.parametrize(
    "given",
    [
        schema(),
        schema(share={"type": "integer"}),
        schema(kind={"enum": ["bad"]}),
        schema(kind={"const": "good"}),
        schema(places={"type": "array", "items": PLACE}),
        schema(places={"type": "array", "items": {"$ref": "#/$defs/P"}}) | {"$defs": {"P": PLACE}},
        schema(note={"type": "string"}),
        schema(note={"anyOf": [{"type": "string"}, {"type": "null"}]}),
    ],
)
def test_it_fits(given: dict[str, Any]) -> None:
    assert misfit(given, Answer) is None


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({}, "the answer must have `type: object`"),
        ({"type": "array"}, "the answer must have `type: object`"),
        (schema(required=()), "the answer must require `text`"),
        (schema(text={}), "`text` must have `type: string`"),
        (schema(share={"type": "string"}), "`share` must have `type: number`"),
        (schema(kind={"enum": ["good", "ugly"]}), "`kind` may be 'ugly'"),
        (schema(kind={"type": "string"}), "`kind` may be something else than ['good', 'bad']"),
        (schema(places={"type": "array"}), "`places[]` must have `type: object`"),
        (
            schema(places={"type": "array", "items": PLACE | {"required": []}}),
            "`places[]` must require `path`",
        ),
        (schema(note={"type": "integer"}), "`note` may be something else than string or null"),
        (
            schema(text={"anyOf": [{"type": "string"}, {"type": "null"}]}),
            "`text` must have `type: string`",
        ),
        (schema(other={"type": "string"}), "the answer has `other`, which nobody reads"),
        (
            schema() | {"additionalProperties": True},
            "the answer must have `additionalProperties: false`",
        ),
        (
            {"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/a"}}},
            "the answer must have `type: object`",
        ),
    ],
)
def test_it_does_not_fit_and_it_says_where(given: dict[str, Any], problem: str) -> None:
    assert misfit(given, Answer) == problem


@pytest.mark.parametrize("model", [Answer, Claim, Findings, Judgement])
def test_a_models_own_schema_fits_also_where_it_is_compared_part_by_part(
    model: type[BaseModel],
) -> None:
    own = model.model_json_schema()
    assert misfit(own, model) is None
    assert misfit(own | {"title": "another"}, model) is None


def test_every_verbs_own_schema_fits_the_form_that_it_reads() -> None:
    for verb in handlers().values():
        if isinstance(verb, AgentVerb) and (output := getattr(verb, "output", None)) is not None:
            assert misfit(verb.schemas[verb.name], output) is None
