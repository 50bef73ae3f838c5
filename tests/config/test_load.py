"""The configuration file: every key has a default, and every fault a line."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from claude_pool_gh.config.load import PATH, load, misnamed
from claude_pool_gh.config.model import RepositoryConfig
from claude_pool_gh.pool.recipes.yaml_file import Fault
from claude_pool_gh.terms.roles import Role

VERBS = frozenset({"review", "help"})
WHOLE = """\
# all of it
runs_in: action
model: claude-sonnet-5-5
effort: high
budget:
  task: 0.5
  chain: 2
  thread: 5
  user_day: 6
  repository_month: 70
permissions:
  review: maintain
  help: read
review:
  fail_on: high
  most_comments: 5
  exclude: ["docs/*", '*.md']
  turns: 10
  on_push: true
wall_minutes: 20
on_error: failure
limits:
  user_hour: 3
  thread_hour: 4
bots: [29110]
outsiders: trust
triggers:
  labels: false
  opened: true
  ready_for_review: true
changes:
  approvals: 2
  four_eyes: true
  codeowners: true
  protected: ["infra/*"]
  max_rejections: 5
  most_files: 7
  most_lines: 80
  draft: true
  branches: agents/pool/
  turns: 30
  checks:
    - name: tests
      run: make test
    - {name: lint, run: make lint, minutes: 2}
  protected_approvals: 3
notify: false
audits:
  nightly:
    kind: security
    paths: ["src/"]
    by: package
    when: changed
    code_scanning: true
    schedule: {cron: "0 4 * * MON", timezone: Europe/Berlin}
"""


def config(text: str) -> RepositoryConfig:
    found = load(text, VERBS)
    assert isinstance(found, RepositoryConfig), found
    return found


def faults(text: str) -> list[Fault]:
    found = load(text, VERBS)
    assert isinstance(found, list), found
    return found


@pytest.mark.parametrize("text", ["", "\n", "# only a remark\n", "---\n", "{}", "~", "\ufeff"])
def test_no_file_is_needed(text: str) -> None:
    assert config(text) == RepositoryConfig()


def test_the_defaults_are_the_promised_ones() -> None:
    found = RepositoryConfig()
    budget = found.budget
    assert (budget.task, budget.chain, budget.thread, budget.user_day, budget.repository_month) == (
        1,
        3,
        10,
        20,
        100,
    )
    assert (found.review.fail_on, found.review.most_comments, found.wall_minutes) == (
        "never",
        10,
        15,
    )
    assert (found.runs_in, found.on_error, found.permissions) == ("app", "neutral", {})


def test_every_key_is_read() -> None:
    found = config(WHOLE)
    assert found.model_dump(mode="json") == {
        "runs_in": "action",
        "notify": False,
        "model": "claude-sonnet-5-5",
        "effort": "high",
        "budget": {"task": 0.5, "chain": 2, "thread": 5, "user_day": 6, "repository_month": 70},
        "permissions": {"review": "maintain", "help": "read"},
        "review": {
            "fail_on": "high",
            "most_comments": 5,
            "exclude": ["docs/*", "*.md"],
            "turns": 10,
            "on_push": True,
        },
        "wall_minutes": 20,
        "on_error": "failure",
        "limits": {"user_hour": 3, "thread_hour": 4},
        "bots": [29110],
        "outsiders": "trust",
        "triggers": {"labels": False, "opened": True, "ready_for_review": True},
        "changes": {
            "approvals": 2,
            "four_eyes": True,
            "codeowners": True,
            "protected": ["infra/*"],
            "protected_approvals": 3,
            "max_rejections": 5,
            "most_files": 7,
            "most_lines": 80,
            "checks": [
                {"name": "tests", "run": "make test", "minutes": 10},
                {"name": "lint", "run": "make lint", "minutes": 2},
            ],
            "draft": True,
            "branches": "agents/pool/",
            "turns": 30,
        },
        "audits": {
            "nightly": {
                "kind": "security",
                "workflow": None,
                "paths": ["src/"],
                "exclude": [],
                "by": "package",
                "slots": 4,
                "budget": None,
                "over_budget": "riskiest",
                "when": "changed",
                "turns": 60,
                "code_scanning": True,
                "schedule": {"cron": "0 4 * * MON", "timezone": "Europe/Berlin"},
            }
        },
    }
    assert {
        key: found.model_dump()[key] for key in RepositoryConfig.model_fields
    } == found.model_dump()
    assert found.model_fields_set == set(RepositoryConfig.model_fields)


@pytest.mark.parametrize("text", [WHOLE.replace("\n", "\r\n"), "\ufeff" + WHOLE, "--- \n" + WHOLE])
def test_line_endings_and_a_byte_order_mark_do_not_matter(text: str) -> None:
    assert config(text) == config(WHOLE)


@pytest.mark.parametrize(
    ("old", "new", "line", "says"),
    [
        ("runs_in: action", "run_in: action", 2, "unknown key `run_in`, did you mean `runs_in`?"),
        ("runs_in: action", "runs_in: window", 2, "`runs_in`: must be 'app' or 'action'"),
        ("model: claude-sonnet-5-5", "model: gpt-5", 3, "`model`: must match"),
        (
            "model: claude-sonnet-5-5",
            f"model: claude-{'x' * 80}",
            3,
            "`model`: must have at most 80",
        ),
        ("effort: high", "effort: huge", 4, "`effort`: must be 'low'"),
        ("effort: high", "efort: high", 4, "unknown key `efort`, did you mean `effort`?"),
        ("budget:", "budgets:", 5, "unknown key `budgets`, did you mean `budget`?"),
        ("  task: 0.5", "  task: 0", 6, "`budget.task`: must be greater than 0"),
        ("  task: 0.5", "  tsk: 0.5", 6, "unknown key `tsk`, did you mean `task`?"),
        ("  chain: 2", "  chain: .nan", 7, "`budget.chain`: must be"),
        ("  thread: 5", "  thread: .inf", 8, "`budget.thread`: must be a finite number"),
        ("  user_day: 6", "  user_day: -6", 9, "`budget.user_day`: must be greater than 0"),
        (
            "  repository_month: 70",
            "  repository_month: x",
            10,
            "`budget.repository_month`: must be a ",
        ),
        (
            "  review: maintain",
            "  reviw: maintain",
            12,
            "unknown key `reviw`, did you mean `review`?",
        ),
        (
            "  review: maintain",
            "  review: none",
            12,
            "`permissions.review`: must be 'read'",
        ),
        ("  help: read", "  help: ''", 13, "`permissions.help`: must be 'read'"),
        ("  help: read", "  help: no", 13, "`permissions.help`: must be 'read'"),
        ("  help: read", "  1: read", 13, "`permissions.1.[key]`: must be a text"),
        ("  fail_on: high", "  fail_on: worst", 15, "`review.fail_on`: must be 'never'"),
        (
            "  most_comments: 5",
            "  most_comments: 31",
            16,
            "`review.most_comments`: must be less than",
        ),
        (
            "  most_comments: 5",
            "  comments: 5",
            16,
            "unknown key `comments`, did you mean `most_comments`?",
        ),
        (
            "exclude: [\"docs/*\", '*.md']",
            "exclude:\n   - a\n   - [b]",
            19,
            "`review.exclude.1`: must be a",
        ),
        (
            "exclude: [\"docs/*\", '*.md']",
            "exclude: a",
            17,
            "`review.exclude`: must be a list",
        ),
        (
            "  turns: 10",
            "  turns: 0",
            18,
            "`review.turns`: must be greater than or equal to 1",
        ),
        (
            "wall_minutes: 20",
            "wall_minutes: 241",
            20,
            "`wall_minutes`: must be less than or equal to 240",
        ),
        (
            "wall_minutes: 20",
            "wall_minutes: 2001-02-03",
            20,
            "`wall_minutes`: must be a whole number",
        ),
        (
            "on_error: failure",
            "on_error: success",
            21,
            "`on_error`: must be 'neutral' or 'failure'",
        ),
        (
            'cron: "0 4 * * MON"',
            'cron: "@daily"',
            55,
            "`audits.nightly.schedule`: '@daily' has 1 field; a schedule",
        ),
        (
            "timezone: Europe/Berlin",
            "timezone: Berlin",
            55,
            "`audits.nightly.schedule`: 'Berlin' is no time zone",
        ),
        (
            "on_error: failure",
            "xyzzy: 1",
            21,
            "unknown key `xyzzy`; known: audits, bots, budget, changes",
        ),
        ("on_error: failure", "1: x", 21, "`1`: keys should be strings"),
        (
            "  user_hour: 3",
            "  user_hour: 0",
            23,
            "`limits.user_hour`: must be greater than or equal",
        ),
        (
            "  thread_hour: 4",
            "  threadhour: 4",
            24,
            "unknown key `threadhour`, did you mean `thread_hour`?",
        ),
        ("bots: [29110]", "bots: [dependabot]", 25, "`bots.0`: must be a whole number"),
        ("bots: [29110]", "bots: [-1]", 25, "`bots.0`: must be greater than 0"),
        (
            "outsiders: trust",
            "outsiders: refuse",
            26,
            "`outsiders`: must be 'ask' or 'trust'",
        ),
        (
            "  opened: true",
            "  opened: often",
            29,
            "`triggers.opened`: must be `true` or `false`",
        ),
        ("  opened: true", "  open: true", 29, "unknown key `open`, did you mean `opened`?"),
        (
            "  approvals: 2",
            "  approvals: 0",
            32,
            "`changes.approvals`: must be greater than or equal to 1",
        ),
        (
            "  four_eyes: true",
            "  foureyes: true",
            33,
            "unknown key `foureyes`, did you mean `four_eyes`?",
        ),
        (
            '  protected: ["infra/*"]',
            "  protected: ['']",
            35,
            "`changes.protected.0`: must have at least 1",
        ),
        (
            "  branches: agents/pool/",
            "  branches: pool",
            40,
            "`changes.branches`: must match",
        ),
        (
            "  branches: agents/pool/",
            "  branches: ../x/",
            40,
            "`changes.branches`: must match",
        ),
        (
            "  branches: agents/pool/",
            "  branches: -x/",
            40,
            "`changes.branches`: must match",
        ),
        (
            "    - name: tests",
            "    - name: all tests",
            43,
            "`changes.checks.0.name`: must match",
        ),
        (
            "    - name: tests",
            "    - name: lint",
            42,
            "`changes.checks`: more than one check is called lint",
        ),
        (
            "      run: make test",
            "      run: ''",
            44,
            "`changes.checks.0.run`: must have at least 1",
        ),
        (
            "lint, minutes: 2",
            "lint, minutes: 61",
            45,
            "`changes.checks.1.minutes`: must be less than or equal to 60",
        ),
        (
            "lint, minutes: 2",
            "lint, minuts: 2",
            45,
            "unknown key `minuts`, did you mean `minutes`?",
        ),
    ],
)
def test_a_fault_names_its_line_and_the_nearest_right_name(
    old: str, new: str, line: int, says: str
) -> None:
    assert old in WHOLE
    [fault] = faults(WHOLE.replace(old, new))
    assert fault.line == line
    assert fault.problem.startswith(says)
    assert str(fault) == f"line {line}: {fault.problem}"


def test_every_fault_is_told_at_once() -> None:
    found = faults("dor: app\nreview:\n  turns: 0\nbudgt: 1\n")
    assert sorted(fault.line for fault in found) == [1, 3, 4]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("runs_in: &a app", 1),
        ("runs_in: app\nmodel: *a", 2),
        ("a: &a [x]\nb: [*a,*a]", 1),
        ("&a {}", 1),
    ],
)
def test_anchors_and_aliases_are_refused(text: str, line: int) -> None:
    assert faults(text) == [Fault(line, "anchors and aliases are not used here")]


def test_an_ampersand_in_a_text_is_no_anchor() -> None:
    assert config("review: {exclude: ['a & *b']}").review.exclude == ("a & *b",)


@pytest.mark.parametrize("text", ["[]", "- a", "0", "false", "''", "text", "3.5", "2001-02-03"])
def test_a_file_that_is_no_mapping_is_refused(text: str) -> None:
    assert faults(text) == [Fault(1, "the file must be a mapping of keys to values")]


@pytest.mark.parametrize(
    "text", ["[" * 30_000, "a: " + "[" * 3_000, "- " * 30_000, "{" * 30_000, "a:\n" + "? " * 3_000]
)
def test_deep_nesting_is_refused(text: str) -> None:
    [fault] = faults(text)
    assert fault.problem == "nested too deeply"


@pytest.mark.parametrize(
    "text",
    [
        "model: 2001-99-99",
        "model: !!python/name:os.system",
        "model: !foo bar",
        "? [a]\n: b",
        "x: !!int ''",
        "wall_minutes: " + "1" * 5_000,
        "x: !!bool foo",
        "x: !!timestamp foo",
        "<<: 3",
        "x: !!binary ü",
        "x: !!float ''",
        "model: \x07",
        "\tmodel: x",
        "a: b: c",
        "a: 'b",
        "a: 1\n---\nb: 2",
        "%YAML 9.9\n---\na: b",
        "x: !!omap [1]",
    ],
)
def test_what_yaml_cannot_read_is_a_fault_and_not_a_crash(text: str) -> None:
    [fault] = faults(text)
    assert fault.problem


def test_a_tab_is_named_with_its_line() -> None:
    [fault] = faults("runs_in: app\nreview:\n\tturns: 3\n")
    assert fault == Fault(3, "a tab: indent with blanks")


def test_a_file_of_64_kib_is_read_and_a_larger_one_is_not() -> None:
    text = "runs_in: action\n#"
    limit = 64 * 1024
    assert config(text + "x" * (limit - len(text))).runs_in == "action"
    assert faults(text + "x" * (limit - len(text) + 1)) == [
        Fault(1, "the file is larger than 64 KiB")
    ]
    assert faults(text + "ü" * (limit // 2)) == [Fault(1, "the file is larger than 64 KiB")]


@pytest.mark.parametrize("role", [role.name for role in Role])
def test_no_permission_below_read_can_be_written(role: str) -> None:
    allowed = not isinstance(load(f"permissions: {{review: {role}}}", VERBS), list)
    assert allowed == (Role[role] >= Role.read)


@settings(deadline=None)
@given(st.text(st.sampled_from("ab:{}[]-&*!?|>'\"%#\n \t01.~,<"), max_size=40))
def test_no_text_makes_the_reader_raise(text: str) -> None:
    found = load(text, VERBS)
    assert isinstance(found, RepositoryConfig) or all(fault.line >= 1 for fault in found)


@pytest.mark.parametrize(
    "name",
    [
        ".github/claude-pool.yaml",
        ".github/claude_pool.yml",
        ".github/Claude-Pool.yml",
        ".github/claudepool.yml",
        ".github/.claude-pool.yml",
        "claude-pool.yml",
        ".claude-pool.yaml",
        ".github/claude-pool.json",
        ".github/claude-pool-gh.yml",
        ".github/claude-pool.config.yml",
    ],
)
def test_a_file_with_nearly_the_right_name_is_said_to_have_the_wrong_one(name: str) -> None:
    found = misnamed(["README.md", name])
    assert found is not None
    assert found.file == name
    assert f"rename it to {PATH}" in str(found.faults[0])


@pytest.mark.parametrize(
    "name",
    [
        PATH,
        ".github/claude-pool.md",
        ".github/dependabot.yml",
        "docs/claude-pool.yml",
        ".github/claude.yml",
    ],
)
def test_other_files_are_no_misnamed_configuration(name: str) -> None:
    assert misnamed([name]) is None


def test_a_key_that_stands_twice_is_a_fault_and_not_the_last_one_alone() -> None:
    """PyYAML would keep the second `changes` and drop `four_eyes` without a word."""
    text = "changes:\n  four_eyes: true\nnotify: false\nchanges:\n  draft: true\n  draft: false\n"
    assert faults(text) == [Fault(4, "`changes` is already on line 1; put all of it in one place")]
    assert faults("changes:\n  draft: true\n  draft: false\n") == [
        Fault(3, "`changes.draft` is already on line 2; put all of it in one place")
    ]
    assert faults("changes: {four_eyes: true}\nchanges: {four_eyes: false}\n") == [
        Fault(2, "`changes` is already on line 1; put all of it in one place")
    ]


def test_faults_come_in_the_order_of_their_lines() -> None:
    assert [fault.line for fault in faults("bugdet: {}\nreview:\n  turns: 0\nmodel: opus\n")] == [
        1,
        3,
        4,
    ]
