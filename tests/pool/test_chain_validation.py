"""Whatever of a chain could not run is refused before its first step, with where it stands and what to mend."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from claude_pool_gh.pool.model.errors import RecipeError
from claude_pool_gh.pool.model.plan import Isolation, OnRestart, WorkspaceSpec
from claude_pool_gh.pool.model.ports import Done, HostStepContext
from claude_pool_gh.pool.recipes.library import RecipeLibrary
from claude_pool_gh.pool.recipes.skills import Argument, Skill
from claude_pool_gh.pool.recipes.workflows import ChainStep, Workflow
from claude_pool_gh.pool.run.chain_factory import ChainOptions
from claude_pool_gh.pool.store.tables import chains
from tests.pool.kit import ended, run_chain, step
from tests.pool.puppet import OpenPool, Puppet

TYPED = {"type": "object", "properties": {"title": {}, "parts": {"type": "array"}}}


async def brief(_context: HostStepContext) -> Done:
    return Done({"about": "x"})


def library() -> RecipeLibrary:
    made = RecipeLibrary()
    arguments = (Argument(name="issue"), Argument(name="style", required=False))
    made.add(Skill(name="fix-it", description="d", arguments=arguments, prompt="Fix {args.issue}"))
    made.add(Skill(name="late", description="d", prompt="See {steps.nowhere.output}"))
    made.add(
        Skill(
            name="misspelt", description="d", arguments=arguments, prompt="{args.issue} {arg.issue}"
        )
    )
    made.add(Skill(name="wrong", description="d", arguments=arguments, prompt="Fix {args.isue}"))
    return made


FAULTY: list[tuple[str, list[ChainStep], str]] = [
    (
        "an unknown step",
        [step("one", "{steps.oen.output}")],
        "step one: no earlier step is called 'oen'",
    ),
    (
        "a misspelt step",
        [step("one", "1"), step("two", "{steps.oen.output}")],
        "step two: no earlier step is called 'oen', did you mean `one`?",
    ),
    (
        "a later step",
        [step("one", "{steps.two.output}"), step("two", "2")],
        "step one: no earlier step is called 'two'",
    ),
    (
        "the step itself",
        [step("one", "{steps.one.output}")],
        "step one: no earlier step is called 'one'",
    ),
    (
        "a wrong variable of a typed step",
        [step("one", "1", output=TYPED), step("two", "{steps.one.titel}")],
        "step two: unknown output of step one `titel`, did you mean `title`?",
    ),
    (
        "a wrong variable of a plain step",
        [step("one", "1"), step("two", "{steps.one.text}")],
        "step two: unknown output of step one `text`",
    ),
    (
        "an output var by its path",
        [step("one", "1", output_vars={"short": "very.long"}), step("two", "{steps.one.shart}")],
        "step two: unknown output of step one `shart`, did you mean `short`?",
    ),
    (
        "a wrong variable of a step with items",
        [
            step("one", "1", output=TYPED),
            step("per", "p", each="one.parts"),
            step("two", "{steps.per.title}"),
        ],
        "step two: unknown output of step per `title`",
    ),
    (
        "a wrong branch",
        [
            step("both", branches=[step("left", "l"), step("right", "r")]),
            step("two", "{steps.both.lift.output}"),
        ],
        "step two: unknown output of step both `lift`, did you mean `left`?",
    ),
    (
        "a wrong argument",
        [step("one", "{args.isue}")],
        "step one: unknown argument `isue`, did you mean `issue`?",
    ),
    (
        "an item without items",
        [step("one", "{item.x}")],
        "step one: `{item}` can be used only in a step with `each`",
    ),
    (
        "an error outside a recovery",
        [step("one", "{error}")],
        "step one: `{error}` can be used only in `recovery`",
    ),
    ("a wrong title", [step("one", "1", title="{args.nope}")], "step one: unknown argument `nope`"),
    (
        "a wrong recovery",
        [step("one", "1", recovery="{args.nope}")],
        "step one: unknown argument `nope`",
    ),
    (
        "a wrong list",
        [step("one", "1"), step("two", "2", each="one.parts")],
        "step two: unknown output of step one `parts`",
    ),
    (
        "a list of nobody",
        [step("one", "1", each="noone.parts")],
        "step one: no earlier step is called 'noone'",
    ),
    (
        "a condition on a later step",
        [step("one", "1", when={"value": "steps.two.output", "equals": ""}), step("two", "2")],
        "step one: no earlier step is called 'two'",
    ),
    (
        "a condition on a wrong variable",
        [
            step("one", "1", output=TYPED),
            step("two", "2", when={"value": "steps.one.titel", "empty": True}),
        ],
        "step two: unknown output of step one `titel`, did you mean `title`?",
    ),
    (
        "a condition on nothing that is",
        [step("one", "1", when={"value": "step.one", "equals": 1})],
        "step one: `step.one` begins with none of steps, args, item",
    ),
    (
        "an unknown skill",
        [step("one", skill="fix-id")],
        "step one: unknown skill `fix-id`, did you mean `fix-it`?",
    ),
    (
        "an unknown skill in a branch",
        [step("both", branches=[step("left", skill="fix-id")])],
        "step both: unknown skill `fix-id`, did you mean `fix-it`?",
    ),
    (
        "an unknown host",
        [step("one", host="breif")],
        "step one: unknown host `breif`, did you mean `brief`?",
    ),
    (
        "an unknown argument of a skill",
        [step("one", skill="fix-it", arguments={"issue": "1", "stile": "s"})],
        "step one: unknown argument `stile`, did you mean `style`?",
    ),
    (
        "a missing argument of a skill",
        [step("one", skill="fix-it")],
        "step one: skill fix-it needs the argument `issue`",
    ),
    (
        "an empty argument of a skill",
        [step("one", skill="fix-it", arguments={"issue": ""})],
        "step one: skill fix-it needs the argument `issue`",
    ),
    (
        "a wrong name in an argument",
        [step("one", skill="fix-it", arguments={"issue": "{steps.nope.output}"})],
        "step one: no earlier step is called 'nope'",
    ),
    (
        "a wrong name in a skill",
        [step("nowhre", "1"), step("one", skill="late")],
        "step one: no earlier step is called 'nowhere', did you mean `nowhre`?",
    ),
    (
        "a wrong argument in a skill",
        [step("one", skill="wrong", arguments={"issue": "1"})],
        "step one: unknown argument `isue`, did you mean `issue`?",
    ),
    (
        "a misspelt root",
        [step("one", "1"), step("two", "See {step.one.output}")],
        "step two: `{step.one.output}` is no placeholder; did you mean `{steps.one.output}`?",
    ),
    (
        "a misspelt root in a skill",
        [step("one", skill="misspelt", arguments={"issue": "1"})],
        "step one: `{arg.issue}` is no placeholder; did you mean `{args.issue}`?",
    ),
    (
        "a misspelt root in a branch, a title, a recovery, an argument",
        [step("both", branches=[step("left", "1", recovery="{eror}")])],
        "step both: `{eror}` is no placeholder; did you mean `{error}`?",
    ),
    (
        "the same in a title",
        [step("one", "1", title="{ args.issue }")],
        "step one: `{ args.issue }` is no placeholder; did you mean `{args.issue}`?",
    ),
    (
        "the same in an argument",
        [step("one", skill="fix-it", arguments={"issue": "{arguments.issue}"})],
        "did you mean `{args.issue}`?",
    ),
    (
        "a misspelt item",
        [step("one", "1", output=TYPED), step("per", "{itme}", each="one.parts")],
        "step per: `{itme}` is no placeholder; did you mean `{item}`?",
    ),
    (
        "a wrong variable of a branch",
        [step("both", branches=[step("left", "l")]), step("two", "{steps.both.left.outptu}")],
        "step two: unknown output of step both.left `outptu`, did you mean `output`?",
    ),
    (
        "two steps of one name",
        [step("one", "1"), step("one", "2")],
        "step one: another step has this name",
    ),
    (
        "two branches of one name",
        [step("both", branches=[step("left", "1"), step("left", "2")])],
        "step both: two of its branches have the same name",
    ),
    (
        "an unknown schema",
        [step("one", "1", output="findings")],
        "step one: unknown output `findings`",
    ),
    ("no steps", [], "chain has no steps"),
]


async def test_a_faulty_chain_is_refused_whole_naming_its_step_and_the_nearest_name(
    open_pool: OpenPool,
) -> None:
    """Nothing of it is stored, run or paid."""
    agent = Puppet()
    async with open_pool(agent, library=library(), host_steps={"brief": brief}) as pool:
        for what, steps, told in FAULTY:
            # The fault is found also where it stands behind steps that could run.
            for before in ([], [step("before", "b")]) if steps else ([],):
                with pytest.raises(RecipeError) as refused:
                    await pool.submit_chain([*before, *steps], args={"issue": 1})
                assert told in str(refused.value), what
        assert await pool.chains() == []
        assert await pool.tasks() == []
        assert (await run_chain(pool, [step("fine", "{args.issue}")], args={"issue": 1})).success
    assert agent.prompts == ["1"]


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"name": "s"}, "exactly one of `prompt`, `skill`, `host` and `branches`"),
        ({"name": "s", "prompt": "p", "skill": "k"}, "exactly one of"),
        ({"name": "s", "prompt": "p", "when": {"value": "args.x"}}, "exactly one of equals"),
        (
            {"name": "s", "prompt": "p", "when": {"value": "args.x", "above": 1, "below": 2}},
            "exactly one of equals",
        ),
        ({"name": "s", "prompt": "p", "when": {"value": "args.x", "is": 1}}, "Extra inputs"),
        (
            {"name": "s", "prompt": "p", "when": {"value": "args.x", "above": "much"}},
            "valid number",
        ),
        ({"name": "s", "prompt": "p", "promt": "p"}, "Extra inputs"),
        ({"name": "S", "prompt": "p"}, "pattern"),
        ({"name": "a.b", "prompt": "p"}, "pattern"),
        ({"name": "s", "prompt": "p", "at_once": 0}, "greater than or equal to 1"),
        ({"name": "s", "prompt": "p", "retries": -1}, "greater than or equal to 0"),
        ({"name": "s", "prompt": "p", "budget_usd": 0}, "greater than 0"),
        ({"name": "s", "prompt": "p", "timeout_secs": 0}, "greater than 0"),
        (
            {"name": "s", "branches": [{"name": "b", "prompt": "p", "gate": True}]},
            "branch b must be a plain",
        ),
        (
            {"name": "s", "branches": [{"name": "b", "prompt": "p", "each": "x.y"}]},
            "branch b must be a plain",
        ),
        ({"name": "s", "branches": [{"name": "b", "host": "h"}]}, "branch b must be a plain"),
        (
            {"name": "s", "branches": [{"name": "b", "prompt": "p", "at_once": 2}]},
            "branch b .* without `at_once`",
        ),
        (
            {"name": "s", "branches": [{"name": "b", "prompt": "p", "on_failure": "continue"}]},
            "branch b .* without `on_failure`, which only the step with the branches can say",
        ),
        (
            {"name": "s", "branches": [{"name": "b", "prompt": "p", "again_from": "a"}]},
            "`again_from` means nothing",
        ),
        (
            {"name": "s", "branches": [{"name": "b", "prompt": "p", "max_rejections": 2}]},
            "`max_rejections` means",
        ),
        (
            {"name": "s", "branches": [{"name": "b", "prompt": "p"}], "retries": 2},
            "`retries` means .* on the branches",
        ),
        (
            {"name": "s", "branches": [{"name": "b", "prompt": "p"}], "config": {"model": "m"}},
            "`config` means nothing",
        ),
        (
            {"name": "s", "host": "h", "on_failure": "continue"},
            "`on_failure` means nothing beside `host`",
        ),
        (
            {"name": "s", "host": "h", "each": "a.b", "tools": ["Read"]},
            "`each` and `tools` means nothing",
        ),
        (
            {"name": "s", "prompt": "p", "arguments": {"x": "1"}},
            "`arguments` means nothing beside `prompt`",
        ),
        ({"name": "s", "prompt": "p", "input": "x"}, "`input` means nothing beside `prompt`"),
        (
            {"name": "s", "prompt": "p", "max_rejections": 2},
            "`max_rejections` means nothing without `gate`",
        ),
        (
            {"name": "s", "prompt": "p", "again_from": "a"},
            "`again_from` means nothing without `gate`",
        ),
    ],
)
def test_a_step_that_contradicts_itself_cannot_be_made(values: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        ChainStep.model_validate(values)


def _refusal(values: dict[str, Any]) -> str | None:
    try:
        ChainStep.model_validate(values)
    except ValidationError as error:
        return str(error)
    return None


@pytest.mark.parametrize("kind", ["prompt", "skill", "host", "branches"])
def test_every_field_of_a_step_is_used_or_refused(kind: str) -> None:
    """What no kind of step means would be ignored on all of them."""
    some: dict[str, Any] = {
        "prompt": "p",
        "skill": "k",
        "host": "h",
        "branches": [{"name": "b", "prompt": "p"}],
        "input": "i",
        "arguments": {"a": "b"},
        "each": "a.b",
        "at_once": 2,
        "title": "t",
        "role": "r",
        "gate": True,
        "when": {"value": "args.x", "equals": 1},
        "max_rejections": 2,
        "again_from": "a",
        "tools": ["Read"],
        "model": "m",
        "effort": "low",
        "turns": 2,
        "budget_usd": 1,
        "timeout_secs": 1,
        "output": {"type": "object"},
        "output_vars": {"a": "b"},
        "share": 0.5,
        "retries": 2,
        "recovery": "r",
        "on_failure": "continue",
        "config": {"model": "m"},
    }
    assert set(some) | {"name"} == set(ChainStep.model_fields)
    ignored = set()
    for field in set(some) - {"prompt", "skill", "host", "branches"}:
        plain = {"name": "s", kind: some[kind]} | (
            {"gate": True} if field in ("max_rejections", "again_from") else {}
        )
        if (told := _refusal(plain | {field: some[field]})) is not None:
            assert f"`{field}` means nothing" in told
            ignored.add(field)
    expected = {
        "prompt": {"input", "arguments"},
        "skill": set(),
        "host": set(some)
        - {"prompt", "skill", "host", "branches", "when", "gate", "max_rejections", "again_from"},
    }
    expected["branches"] = expected["host"] - {"at_once", "on_failure"}
    assert ignored == expected[kind]


def on_file(folder: Path, name: str, steps: str, more: str = "") -> None:
    file = folder / "workflows" / f"{name}.yml"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"name: {name}\ndescription: d\n{more}steps:\n{steps}")


def skill_file(folder: Path, name: str, text: str) -> None:
    file = folder / "skills" / name / "SKILL.md"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


YAML = [
    (
        "  - name: one\n    prompt: p\n  - name: two\n    prompt: '{steps.oen.output}'\n",
        6,
        "step two: no earlier step is called 'oen', did you mean `one`?",
    ),
    (
        "  - name: one\n    prompt: p\n  - name: two\n    skill: fix-id\n",
        6,
        "step two: unknown skill `fix-id`, did you mean `fix-it`?",
    ),
    (
        "  - name: two\n    branches:\n      - name: b\n        skill: fix-id\n",
        4,
        "step two: unknown skill `fix-id`, did you mean `fix-it`?",
    ),
    (
        "  - name: one\n    host: breif\n",
        4,
        "step one: unknown host `breif`, did you mean `brief`?",
    ),
    (
        "  - name: one\n    prompt: p\n\n\n  - name: one\n    prompt: q\n",
        8,
        "step one: another step has this name",
    ),
    ("  - name: one\n    skill: fix-it\n    arguments: {isue: 1}\n", 6, ""),
    (
        "  - name: one\n    skill: fix-it\n    arguments: {isue: '1'}\n",
        4,
        "step one: unknown argument `isue`, did you mean `issue`?",
    ),
    ("  - name: one\n    promt: p\n", 5, "unknown key `promt`, did you mean `prompt`?"),
    (
        "  - name: one\n    prompt: p\n    when: {value: args.x, equal: 1}\n",
        6,
        "unknown key `equal`, did you mean `equals`?",
    ),
    ("  - name: one\n    prompt: p\n    when:\n      value: args.x\n", 6, "exactly one of equals"),
    ("  - name: one\n    prompt: p\n    effort: hgih\n", 6, "`steps.0.effort`"),
    ("  - name: one\n    prompt: p\n    turns: 0\n", 6, "greater than or equal to 1"),
    ("  - name: one\n    prompt: [p\n", 6, ""),
    ("  - name: one\n    prompt: &a p\n", 5, "anchors and aliases are not used here"),
    ("  []\n", 3, "at least 1 item"),
]


async def test_a_fault_in_a_file_is_told_with_its_line(open_pool: OpenPool, tmp_path: Path) -> None:
    own = library()
    own.folders = [tmp_path / "project"]
    for number, (steps, _, _) in enumerate(YAML):
        on_file(tmp_path / "project", f"w{number}", steps)
    agent = Puppet()
    async with open_pool(agent, library=own, host_steps={"brief": brief}) as pool:
        for number, (_, line, told) in enumerate(YAML):
            with pytest.raises(RecipeError) as refused:
                await pool.submit_workflow(f"w{number}")
            assert f"w{number}.yml, line {line}" in str(refused.value), (number, str(refused.value))
            assert told in str(refused.value)
            assert str(refused.value).count(", line ") + str(refused.value).count("; line ") == 1
        assert await pool.chains() == []
    assert agent.seen == []


async def test_a_faulty_file_on_the_shelf_harms_nobody_else(
    open_pool: OpenPool, tmp_path: Path
) -> None:
    good = "---\nname: good\ndescription: has --- inside\n---\nAs ---\nit says."
    skill_file(tmp_path, "good", good)
    skill_file(tmp_path, "broken", "---\nname: [\n---\n")
    skill_file(tmp_path, "open", "---\nname: open\n")
    skill_file(tmp_path, "liar", "---\nname: other\ndescription: d\n---\n")
    on_file(tmp_path, "broken", "  - nam: x\n")
    on_file(tmp_path, "good", "  - name: one\n    skill: good\n")
    on_file(tmp_path, "misled", "  - name: one\n    skill: broken\n")
    agent = Puppet()
    made = RecipeLibrary([tmp_path])
    async with open_pool(agent, library=made) as pool:
        assert (await ended(pool, await pool.submit_workflow("good"))).success
        assert made.skill_names() == ["broken", "good", "liar", "open"]
        assert made.workflow_names() == ["broken", "good", "misled"]
        for name, told in {
            "broken": "line 4: unknown key `nam`, did you mean `name`?",
            "misled": "line 4, step one: ",
            "god": "unknown workflow `god`, did you mean `good`?",
            "../workflows/good": "unknown workflow",
            ".good": "unknown workflow",
        }.items():
            with pytest.raises(RecipeError) as refused:
                await pool.submit_workflow(name)
            assert told in str(refused.value)
        for name, told in {
            "broken": "SKILL.md, line 3: ",
            "open": "the front matter is not closed",
            "liar": "the skill calls itself `other`, its folder is `liar`",
            "..": "unknown skill",
        }.items():
            with pytest.raises(RecipeError) as refused:
                await pool.submit_chain([step("one", skill=name)])
            assert told in str(refused.value)
    assert agent.prompts == ["As ---\nit says."]


async def test_a_later_folder_goes_before_an_earlier_one_and_run_time_before_all(
    open_pool: OpenPool, tmp_path: Path
) -> None:
    """Packaged, then the user's, then the project's; what is removed shows the file again."""
    folders = [tmp_path / name for name in ("packaged", "user", "project")]
    wanted = {"a": folders, "b": folders[:2], "c": folders[:1]}
    for name, holders in wanted.items():
        for folder in holders:
            skill_file(
                folder, name, f"---\nname: {name}\ndescription: d\n---\n{folder.name} {name}"
            )
            on_file(folder, name, f"  - name: one\n    prompt: {folder.name} {name}\n")
    made, agent = RecipeLibrary(folders), Puppet()
    async with open_pool(agent, library=made) as pool:

        async def both(name: str) -> list[str]:
            await run_chain(pool, [step("one", skill=name)])
            await ended(pool, await pool.submit_workflow(name))
            return agent.prompts[-2:]

        assert await both("a") == ["project a"] * 2
        assert await both("b") == ["user b"] * 2
        assert await both("c") == ["packaged c"] * 2
        made.add(Skill(name="a", description="d", prompt="added a"))
        made.add(Workflow(name="a", description="d", steps=(step("one", "added a"),)))
        assert await both("a") == ["added a"] * 2
        made.add(Skill(name="a", description="d", prompt="added again"))
        assert (await both("a"))[0] == "added again"
        assert made.remove("a")
        assert await both("a") == ["project a"] * 2
        assert not made.remove("a")


async def test_several_chains_are_queued_all_or_none_and_in_order(open_pool: OpenPool) -> None:
    agent = Puppet()
    good, faulty = [step("one", "{args.x}")], [step("one", "1"), step("bad", "{steps.nope.output}")]
    async with open_pool(agent) as pool:
        with pytest.raises(
            RecipeError, match=r"chain 2, step bad: no earlier step is called 'nope'"
        ):
            await pool.fan_out_chains([good, good, faulty, good], args={"x": "X"})
        assert await pool.chains() == []
        every = [[step("one", f"{number} {{args.x}}")] for number in range(6)]
        ids = await pool.fan_out_chains(every, args={"x": "X"}, options=ChainOptions(tags=("t",)))
        assert len(set(ids)) == 6
        results = [await ended(pool, chain_id) for chain_id in ids]
        assert [each.final_output for each in results] == [f"<{number} X>" for number in range(6)]
        assert [each.chain_id for each in await pool.chains()] == ids
        assert await pool.fan_out_chains([]) == []
    assert sorted(agent.prompts) == [f"{number} X" for number in range(6)]


WITH_ARGUMENTS = "arguments:\n  - name: title\n  - name: style\n    required: false\n"


async def test_a_workflow_s_arguments_are_checked_against_its_own_words(
    open_pool: OpenPool, tmp_path: Path
) -> None:
    uses = "  - name: one\n    prompt: '{args.title}[{args.style}]'\n"
    on_file(tmp_path, "told", uses, WITH_ARGUMENTS)
    on_file(tmp_path, "untold", uses)
    on_file(tmp_path, "misled", "  - name: one\n    prompt: '{args.titel}'\n", WITH_ARGUMENTS)
    made, agent = RecipeLibrary([tmp_path]), Puppet()
    made.add(
        Workflow(
            name="added",
            description="d",
            arguments=(Argument(name="x"),),
            steps=(step("one", "{args.x}"),),
        )
    )
    async with open_pool(agent, library=made) as pool:
        await ended(pool, await pool.submit_workflow("told", {"title": "T"}))
        await ended(pool, await pool.submit_workflow("told", {"title": "T", "style": {"a": 1}}))
        await ended(pool, await pool.submit_workflow("added", {"x": "X"}))
        faults: list[tuple[str, dict[str, Any], str]] = [
            ("told", {}, "workflow told needs title; its arguments: style, title"),
            ("told", {"title": ""}, "workflow told needs title"),
            ("told", {"titel": "T"}, "workflow told needs title and knows no titel"),
            ("untold", {"title": "T"}, "workflow untold knows no title; its arguments: none"),
            ("untold", {}, "line 4, step one: unknown argument `title`"),
            (
                "misled",
                {"title": "T"},
                "line 8, step one: unknown argument `titel`, did you mean `title`?",
            ),
            ("added", {}, "workflow added needs x"),
        ]
        for name, args, told in faults:
            with pytest.raises(RecipeError) as refused:
                await pool.submit_workflow(name, args)
            assert told in str(refused.value)
        assert len(await pool.chains()) == 3
    assert agent.prompts == ["T[]", 'T[{\n "a": 1\n}]', "X"]


async def test_a_workflow_says_what_its_caller_leaves_open(open_pool: OpenPool) -> None:
    made = RecipeLibrary()
    own = Workflow(
        name="own",
        description="d",
        steps=(step("one", "1"),),
        budget_usd=0.5,
        on_restart=OnRestart.ask,
        isolation=Isolation.none,
    )
    made.add(own)
    async with open_pool(Puppet(), library=made) as pool:
        silent = await pool.submit_workflow(
            "own", options=ChainOptions(tags=("a", "b"), priority=3)
        )
        spoken = await pool.submit_workflow("own", options=ChainOptions(budget_usd=0.25))
        for chain_id in (silent, spoken):
            await ended(pool, chain_id)
        select = chains.select().order_by(chains.c.created_ms, chains.c.place)
        rows = {
            row.id: row for row in await pool.database.read(lambda tx: tx.execute(select).all())
        }
    assert rows[silent].caps["chain"] == 500_000
    assert rows[silent].priority == 3
    assert rows[silent].plan["on_restart"] == "ask"
    stored = WorkspaceSpec.model_validate(rows[silent].plan["workspace"])
    assert stored == WorkspaceSpec(isolation=Isolation.none, folder=str(Path.cwd()))
    assert rows[spoken].caps["chain"] == 250_000


async def test_a_chain_runs_what_was_checked_whatever_its_recipe_becomes(
    open_pool: OpenPool, tmp_path: Path
) -> None:
    """Also where the file is gone before the chain has begun."""
    skill_file(tmp_path, "s", "---\nname: s\ndescription: d\n---\nas it was")
    on_file(tmp_path, "w", "  - name: one\n    prompt: p\n  - name: two\n    skill: s\n")
    agent = Puppet()

    def spoil() -> None:
        (tmp_path / "skills" / "s" / "SKILL.md").unlink()
        (tmp_path / "workflows" / "w.yml").write_text("nonsense")

    spoiling: list[Callable[[], None]] = [spoil]
    async with open_pool(agent, library=RecipeLibrary([tmp_path])) as pool:
        chain = await pool.submit_workflow("w")
        spoiling.pop()()
        assert (await ended(pool, chain)).success
    assert agent.prompts == ["p", "as it was"]
