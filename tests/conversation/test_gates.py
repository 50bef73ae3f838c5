"""A gate: its ID is what is approved, and the policy says by whom."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from claude_pool_gh.config.model import RepositoryConfig
from claude_pool_gh.config.owners import parse
from claude_pool_gh.conversation.changes.gates import (
    Needed,
    Policy,
    gate_id,
    needed,
    plan_digest,
    protected,
)
from claude_pool_gh.conversation.changes.protected_paths import KINDS, ProtectedKind
from claude_pool_gh.github.decisions import Approval
from claude_pool_gh.pool.model.config import TaskOverrides
from claude_pool_gh.pool.model.plan import AgentRun, HostCall, Limits, Plan
from claude_pool_gh.terms.patterns import matches

REQUESTER, MONA, HUBOT, TESS = (
    Approval(number, name) for number, name in enumerate(("req", "mona", "hubot", "tess"), 1)
)
RULES = parse(
    "*.py @mona @hubot\n/docs/ @tess\n/lib/ @octo/team\n/free/\n/mail/ mona@octo.example\n"
)
WHY = "protected paths need 2 people (`changes.protected_approvals`)"
PLAIN, GUARDED = ["src/a.txt"], ["src/a.txt", ".github/workflows/ci.yml"]


def need(policy: Policy, *approvals: Approval, paths: list[str] = PLAIN) -> Needed:
    return needed(policy, approvals, paths, requester_id=REQUESTER.actor_id, rules=RULES)


# ---- who is needed


@pytest.mark.parametrize("approvals", [1, 2, 3])
@pytest.mark.parametrize("four_eyes", [True, False])
@pytest.mark.parametrize("paths", [PLAIN, GUARDED])
@pytest.mark.parametrize("requester_too", [True, False])
@pytest.mark.parametrize("others", range(4))
def test_so_many_different_people_as_the_policy_says_must_approve(
    approvals: int, four_eyes: bool, paths: list[str], requester_too: bool, others: int
) -> None:
    given_ = [*([REQUESTER] if requester_too else []), *(MONA, HUBOT, TESS)[:others]]
    counted = others + (requester_too and not four_eyes)
    least = max(approvals, 2 if paths is GUARDED else 1)
    found = need(Policy(approvals=approvals, four_eyes=four_eyes), *given_, paths=paths)
    assert found.people == max(0, least - counted)
    assert bool(found) == (counted < least)
    assert found.owners == ()


def test_what_is_missing_says_why() -> None:
    assert need(Policy()) == Needed(1, (), "`changes.approvals` is 1")
    assert need(Policy(approvals=2), MONA) == Needed(1, (), "`changes.approvals` is 2")
    assert need(Policy(), MONA, paths=GUARDED) == Needed(1, (), WHY)
    assert need(Policy(approvals=2), paths=GUARDED) == Needed(2, (), "`changes.approvals` is 2")
    assert need(Policy(), MONA) == Needed()
    assert not need(Policy(protected_approvals=1), MONA, paths=GUARDED), (
        "a maintainer alone can decide it so"
    )
    assert not need(Policy(), MONA)


def test_the_same_person_twice_is_one_person() -> None:
    twice = (MONA, Approval(MONA.actor_id, "renamed"))
    assert need(Policy(approvals=2), *twice).people == 1


def test_the_same_name_is_not_the_same_person() -> None:
    assert not need(Policy(approvals=2), MONA, Approval(99, MONA.login))


def test_four_eyes_goes_by_number_and_not_by_name() -> None:
    policy = Policy(four_eyes=True)
    assert need(policy, Approval(REQUESTER.actor_id, "somebody")).people == 1
    assert not need(policy, Approval(99, REQUESTER.login))


@pytest.mark.parametrize(
    ("paths", "approvals", "unowned"),
    [
        (["a.py"], (MONA,), ()),
        (["a.py"], (TESS,), ("a.py",)),
        (["a.py", "docs/x"], (MONA,), ("docs/x",)),
        (["a.py", "docs/x"], (TESS,), ("a.py",)),
        (["a.py", "docs/x"], (MONA, TESS), ()),
        (["docs/a.py"], (MONA,), ("docs/a.py",)),
        (["free/a.py"], (MONA,), ()),
        (["other.txt"], (TESS,), ()),
        (["a.py"], (Approval(2, "MoNa"),), ()),
        (["a.py"], (Approval(2, "monalisa"),), ("a.py",)),
        (["lib/x"], (MONA, HUBOT, TESS), ("lib/x",)),  # a team cannot be asked
        (
            ["lib/x"],
            (Approval(9, "octo/team"), Approval(9, "team")),
            (),
        ),  # and no login looks like one
        (["mail/x"], (MONA,), ("mail/x",)),
    ],
)
def test_an_owner_of_every_owned_path_must_be_among_the_approvers(
    paths: list[str], approvals: tuple[Approval, ...], unowned: tuple[str, ...]
) -> None:
    assert need(Policy(codeowners=True), *approvals, paths=paths).owners == unowned
    assert need(Policy(codeowners=False), *approvals, paths=paths).owners == ()
    assert bool(need(Policy(codeowners=True), *approvals, paths=paths)) == bool(unowned)


def test_an_owner_who_asked_for_it_counts_unless_four_eyes_must_see_it() -> None:
    rules = parse("* @req")
    for four_eyes, unowned in ((False, ()), (True, ("a",))):
        policy = Policy(codeowners=True, four_eyes=four_eyes)
        found = needed(
            policy, [REQUESTER, MONA], ["a"], requester_id=REQUESTER.actor_id, rules=rules
        )
        assert found.owners == unowned


def test_codeowners_and_protection_are_asked_for_together() -> None:
    policy = Policy(codeowners=True, four_eyes=True)
    paths = ["a.py", ".github/x"]
    assert need(policy, REQUESTER, TESS, paths=paths) == Needed(1, ("a.py",), WHY)
    assert not need(policy, TESS, MONA, paths=paths)


@settings(deadline=None)
@given(
    st.builds(
        Policy, approvals=st.integers(1, 3), four_eyes=st.booleans(), codeowners=st.booleans()
    ),
    st.lists(st.sampled_from([REQUESTER, MONA, HUBOT, TESS]), max_size=4),
    st.lists(st.sampled_from(["a.py", "docs/x", ".github/x", "y"]), max_size=3),
    st.sampled_from([REQUESTER, MONA, HUBOT, TESS]),
)
def test_one_more_approval_never_makes_more_necessary(
    policy: Policy, approvals: list[Approval], paths: list[str], more: Approval
) -> None:
    before, after = (
        need(policy, *approvals, paths=paths),
        need(policy, *approvals, more, paths=paths),
    )
    assert after.people <= before.people
    assert set(after.owners) <= set(before.owners)
    assert need(policy, paths=paths).people >= 1


def test_the_policy_of_a_new_repository_is_that_of_its_configuration() -> None:
    own = RepositoryConfig().changes
    assert Policy() == Policy(
        approvals=own.approvals,
        four_eyes=own.four_eyes,
        codeowners=own.codeowners,
        protected=own.protected,
        protected_approvals=own.protected_approvals,
    )


# ---- what is protected

GUARDED_PATHS = [
    ".github/workflows/ci.yml",
    ".github/CODEOWNERS",
    ".github/dependabot.yml",
    ".github/claude-pool.yml",
    ".github/claude-pool/review.md",
    "CODEOWNERS",
    "docs/CODEOWNERS",
    ".gitmodules",
    "sub/.gitmodules",
    "uv.lock",
    "poetry.lock",
    "Cargo.lock",
    "yarn.lock",
    "Gemfile.lock",
    "composer.lock",
    "flake.lock",
    "deno.lock",
    "web/yarn.lock",
    "package-lock.json",
    "web/package-lock.json",
    "pnpm-lock.yaml",
    "npm-shrinkwrap.json",
    "go.sum",
    "tools/go.sum",
    ".claude/settings.json",
    "sub/.claude/skills/x/SKILL.md",
    ".mcp.json",
    "sub/.mcp.json",
    "CLAUDE.md",
    "sub/CLAUDE.md",
    ".gitattributes",
    "gradle.lockfile",
    "web/npm-shrinkwrap.json",
    "bun.lockb",
    "src/App/packages.lock.json",
    "Package.resolved",
    ".terraform.lock.hcl",
    # whatever agents obey
    "AGENTS.md",
    "web/AGENTS.md",
    "GEMINI.md",
    ".cursor/rules/a.mdc",
    ".cursorrules",
    ".github/copilot-instructions.md",
    ".windsurfrules",
    ".clinerules",
    ".clinerules/a.md",
    ".aider.conf.yml",
    ".codex/config.toml",
    "sub/.mcp.json",
    # whatever runs by itself
    ".circleci/config.yml",
    ".gitlab-ci.yml",
    "Jenkinsfile",
    "ci/Jenkinsfile",
    "Jenkinsfile.release",
    ".travis.yml",
    "azure-pipelines.yml",
    "azure-pipelines-nightly.yaml",
    "bitbucket-pipelines.yml",
    ".buildkite/pipeline.yml",
    ".drone.yml",
    ".woodpecker/a.yml",
    ".teamcity/settings.kts",
    "appveyor.yml",
    ".npmrc",
    "web/.npmrc",
    ".yarnrc.yml",
    ".yarn/releases/yarn.cjs",
    ".pnpmfile.cjs",
    "pip.conf",
    ".vscode/tasks.json",
    "web/.vscode/tasks.json",
    ".idea/workspace.xml",
    ".devcontainer/devcontainer.json",
    ".husky/pre-commit",
    ".pre-commit-config.yaml",
    "lefthook.yml",
    ".githooks/pre-push",
    ".envrc",
    "sub/.envrc",
    ".tool-versions",
    "mise.toml",
    "a/.config/mise/x",
    "renovate.json",
    ".cargo/config.toml",
    ".mvn/extensions.xml",
    ".readthedocs.yaml",
    "netlify.toml",
    "Tiltfile",
]
FREE_PATHS = [
    "README.md",
    "github/workflows/ci.yml",
    "my.github/x",
    "src/.github.py",
    "docs/CODEOWNERS.md",
    "lock",
    "lock.py",
    "src/lock/a.py",
    "a.lock.py",
    "package.json",
    "go.mod",
    "gosum",
    "src/mcp.json",
    "claude/x",
    "x.claude/y",
    ".githubber/x",
    "CODEOWNERSHIP",
    # code like any other: it runs because somebody builds it, and the patch shows it
    "Dockerfile",
    "Makefile",
    "setup.py",
    "conftest.py",
    "build.gradle",
    "docs/AGENTS.rst",
    "MY-AGENTS.md",
    "agents/x",
    "vscode/settings.json",
    "src/npmrc",
    "pip.confidence",
    "envrc",
    "renovate/x.json",
]


@pytest.mark.parametrize("path", GUARDED_PATHS)
def test_a_path_that_reaches_further_than_its_code_is_protected_in_every_case(path: str) -> None:
    assert protected([path]) == (path,)
    assert protected([path.upper()]) == (path.upper(),)
    assert protected([path.title()]) == (path.title(),)


@pytest.mark.parametrize("path", FREE_PATHS)
def test_other_paths_are_not(path: str) -> None:
    assert protected([path]) == ()


@pytest.mark.parametrize(
    "path",
    [
        "CLAUDE.md ",
        "claude.md.",
        ".vscode./tasks.json",
        "AGE\u200dNTS.md",
        "Jenkin\u017ffile",
        ".Cursor /x",
    ],
)
def test_a_name_that_some_file_system_reads_as_a_protected_one_is_protected(path: str) -> None:
    assert protected([path]) == (path,)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.what.replace(" ", "-"))
def test_every_kind_of_protected_paths_has_a_reason_and_an_example(kind: ProtectedKind) -> None:
    assert kind.why
    assert [
        path
        for path in GUARDED_PATHS
        for pattern in kind.patterns
        if matches(pattern.lower(), path.lower())
    ]
    assert len(set(kind.patterns)) == len(kind.patterns)


@pytest.mark.parametrize(
    ("pattern", "path", "is_named"),
    [
        ("infra/*", "infra/a.tf", True),
        ("infra/*", "infra/b/a.tf", True),
        ("infra", "infra/b/a.tf", True),
        ("infra/", "infra/a.tf", True),
        ("infra/", "infrastructure/a.tf", False),
        ("infra", "infra.md", False),
        ("*.tf", "a/b.tf", True),
        ("Infra/*", "infra/a", True),
        ("infra/*", "INFRA/a", True),
        ("infra/*", "x/infra/a", False),
        ("*", "anything", True),
        ("/infra/", "infra/a", True),
        ("/infra/", "x/infra/a", False),
        ("**/secrets/*", "secrets/x", True),
        ("**/secrets/*", "a/secrets/b/c", True),
        ("app/[id]/*", "app/[id]/page.tsx", True),
        ("app/[id]/*", "app/i/page.tsx", False),
    ],
)
def test_a_repository_protects_more_of_its_own(pattern: str, path: str, is_named: bool) -> None:
    assert bool(protected([path], [pattern])) == is_named


def test_the_protected_ones_keep_their_order_and_their_spelling() -> None:
    assert protected(["b", "UV.lock", ".GitHub/x", "a"]) == ("UV.lock", ".GitHub/x")


@settings(deadline=None)
@given(st.sampled_from(GUARDED_PATHS), st.randoms(use_true_random=False))
def test_no_spelling_slips_through(path: str, random: Any) -> None:
    spelt = "".join(random.choice((c.upper(), c.lower())) for c in path)
    assert need(Policy(), MONA, paths=[spelt]).people == 1


# ---- the ID

FIELDS = ("chain_id", "step", "rejections", "head", "merge_base", "patch", "plan")
TEXT = st.text(max_size=12) | st.sampled_from(['"', '", "', "\\", "1", "c-1"])
VALUES = st.fixed_dictionaries(
    {name: st.integers(0, 9) if name == "rejections" else TEXT for name in FIELDS}
)
SHOWN = {
    "chain_id": "c-7",
    "step": "propose",
    "rejections": 0,
    "head": "a" * 40,
    "merge_base": "b" * 40,
    "patch": "d" * 64,
    "plan": "e" * 64,
}


def id_of(values: dict[str, Any]) -> str:
    first = values["chain_id"], values["step"], values["rejections"]
    return gate_id(*first, **{name: values[name] for name in FIELDS[3:]})


@settings(deadline=None)
@given(VALUES, VALUES, st.sets(st.sampled_from(FIELDS), min_size=1))
def test_changing_any_field_changes_the_id_and_nothing_else_does(
    one: dict[str, Any], other: dict[str, Any], fields: set[str]
) -> None:
    mixed = one | {name: other[name] for name in fields}
    assert id_of(one) == id_of(dict(one))
    assert (id_of(mixed) == id_of(one)) == (mixed == one)


@settings(deadline=None)
@given(VALUES, VALUES)
def test_no_two_gates_share_an_id(one: dict[str, Any], other: dict[str, Any]) -> None:
    assume(one != other)
    assert id_of(one) != id_of(other)


@pytest.mark.parametrize(
    "pair",
    [*itertools.combinations(["chain_id", "step", "head", "merge_base", "patch", "plan"], 2)],
)
def test_the_fields_do_not_run_into_each_other(pair: tuple[str, str]) -> None:
    first, second = pair
    moved = SHOWN | {first: f"{SHOWN[first]}x"}
    also = SHOWN | {second: f"x{SHOWN[second]}"}
    swapped = SHOWN | {first: SHOWN[second], second: SHOWN[first]}
    assert len({id_of(each) for each in (SHOWN, moved, also, swapped)}) == 4


def test_an_id_is_ten_hex_digits_and_the_same_for_ever() -> None:
    assert id_of(SHOWN) == "a707cd9c38"
    assert all(c in "0123456789abcdef" for c in id_of(SHOWN))


# ---- the plan in it

STEP = AgentRun(name="patch", prompt="mend it", overrides=TaskOverrides(model="claude-a"))
PLAN = Plan(
    verb="fix",
    steps=(STEP, HostCall(name="propose", call="change.propose", gate=True)),
    limits=Limits(task=1, chain=3, wall_seconds=9, idle_seconds=9),
)


@pytest.mark.parametrize(
    "changed",
    [
        PLAN.model_copy(update={"steps": (STEP.model_copy(update=change), PLAN.steps[1])})
        for change in (
            {"prompt": "mend all"},
            {"system": "other"},
            {"overrides": TaskOverrides(model="claude-b")},
            {"overrides": TaskOverrides(model="claude-a", tools=("Edit",))},
            {"name": "other"},
            {"share": 0.5},
        )
    ]
    + [
        PLAN.model_copy(update={"steps": PLAN.steps[:1]}),
        PLAN.model_copy(update={"steps": PLAN.steps[::-1]}),
        PLAN.model_copy(update={"limits": Limits(task=1, chain=4, wall_seconds=9, idle_seconds=9)}),
        PLAN.model_copy(update={"limits": Limits(task=2, chain=3, wall_seconds=9, idle_seconds=9)}),
    ],
)
def test_another_model_tool_prompt_or_budget_is_another_plan(changed: Plan) -> None:
    assert plan_digest(changed, "blob") != plan_digest(PLAN, "blob")


def test_another_configuration_is_another_plan_and_the_same_one_is_the_same() -> None:
    assert plan_digest(PLAN, "blob") == plan_digest(
        Plan.model_validate_json(PLAN.model_dump_json()), "blob"
    )
    assert plan_digest(PLAN, "blob") != plan_digest(PLAN, "other")
