"""What an audit reads, and what it says where there is nothing to read."""

from __future__ import annotations

from typing import Any

import pytest

from claude_pool_gh.audits.files import Listing
from claude_pool_gh.audits.model import SourceFile
from claude_pool_gh.audits.rules import KINDS
from claude_pool_gh.config.model import Audit
from claude_pool_gh.conversation.audit import brief
from claude_pool_gh.conversation.audit.host import Subject
from claude_pool_gh.findings.states import Standing
from claude_pool_gh.findings.tables import KnownFinding
from claude_pool_gh.pool.model.outcomes import Outcome, Verdict
from claude_pool_gh.pool.model.plan import AgentRun, Limits, Plan
from claude_pool_gh.pool.model.ports import Done, Finish, HostStepContext
from tests.audits.make import COMMIT, plan, shard
from tests.findings.make import finding

SKIPPED = Outcome(verdict=Verdict.skipped, reason="nothing has changed")


def subject(**fields: Any) -> Subject:
    values: dict[str, Any] = {
        "repository_id": 1,
        "repository": "octo/shop",
        "commit": COMMIT,
        "branch": "main",
        "name": "night",
        "kind": "defects",
        "settings": Audit(when="changed"),
    }
    return Subject(**values | fields)


@pytest.mark.parametrize(
    ("of", "continues"),
    [
        (subject(), True),
        (subject(settings=Audit(when="always")), False),
        (subject(paths=("src/",)), False),
    ],
    ids=["changed files", "always all", "paths were named"],
)
def test_only_what_no_run_has_read_is_read_where_nothing_else_is_asked(
    of: Subject, *, continues: bool
) -> None:
    assert of.continues is continues


@pytest.mark.parametrize(
    ("of", "total", "since", "said"),
    [
        (subject(), 0, "", "the repository has no files"),
        (subject(), 0, COMMIT, "the repository has no files"),
        (subject(), 3, COMMIT, "nothing has changed since earlier runs have read it"),
        (subject(paths=("x",)), 3, "", "no file that can be read matches the paths"),
        (subject(settings=Audit(paths=("x",))), 3, "", "no file that can be read matches"),
        (subject(), 3, "", "every file is generated, vendored, binary or excluded"),
    ],
    ids=["empty", "empty and unchanged", "unchanged", "named", "configured", "nothing readable"],
)
def test_where_nothing_is_read_the_reason_is_said(
    of: Subject, total: int, since: str, said: str
) -> None:
    assert brief._nothing(of, Listing(files=(), skipped=(), total=total), since).startswith(said)


def test_paths_that_name_nothing_are_told() -> None:
    files = tuple(
        SourceFile(path=path, blob="b", size=1, tokens=1) for path in ("src/a.py", "docs/b.md")
    )
    of = subject(paths=("src/", "lib/", "*.md", "*.txt"))
    assert brief._unmatched(of, Listing(files=files, skipped=(), total=2)) == (
        "No file that is read matches lib/.",
        "No file that is read matches *.txt.",
    )


def test_known_findings_are_counted_by_their_files() -> None:
    known = [
        KnownFinding(str(at), finding(path=path), Standing.open)
        for at, path in enumerate(("a.py", "b.py", "a.py"))
    ]
    assert brief._counted(known) == {"a.py": 2, "b.py": 1}


def test_dismissals_are_told_with_their_reasons() -> None:
    known = KnownFinding(
        "m", finding(title="T\u200bx", path="a.py"), Standing.dismissed, "it <!-- x --> is"
    )
    assert brief._dismissed([known]) == "- Tx (a.py): it  is"
    assert brief._dismissed([]) == "(none)"


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("src/a.py", "- src/a.py"),
        ("src/ä b.py", "- src/ä b.py"),
        ("a\nb.py", '- "a\\nb.py"'),
        ("a\u202eb.py", '- "a\\u202eb.py"'),
    ],
)
def test_a_name_with_odd_characters_is_quoted(path: str, line: str) -> None:
    told = brief._item(shard(1, path, "z.py"))
    assert told == {"title": "shop/1", "id": f"{1:010x}", "files": f"{line}\n- z.py"}


def test_the_whole_is_told_in_the_hosts_words() -> None:
    assert brief._about(subject(), plan(shard(1, "a", "b"), shard(2))) == (
        f"Repository octo/shop, branch main, commit {COMMIT}. "
        "The audit 'night' reads 3 files in 2 parts; other agents read the other parts at the same time."
    )


def test_another_kind_other_steps_or_rules_are_another_audit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def context(prompt: str) -> HostStepContext:
        limits = Limits(task=1, chain=1, wall_seconds=1, idle_seconds=1)
        steps = (AgentRun(name="find", prompt=prompt),)
        return HostStepContext("c", Plan(verb="audit", steps=steps, limits=limits), {})

    digests = [
        brief._digest(subject(), context("p"), "r"),
        brief._digest(subject(kind="security"), context("p"), "r"),
        brief._digest(subject(), context("q"), "r"),
        brief._digest(subject(), context("p"), "s"),
    ]
    assert len(set(digests)) == 4
    cheaper = subject(settings=Audit(budget=1, slots=1))
    assert brief._digest(cheaper, context("p"), "r") == digests[0]
    with monkeypatch.context() as later:
        later.setattr(brief, "KINDS", {**KINDS, "defects": KINDS["defects"][1:]})
        assert brief._digest(subject(), context("p"), "r") not in digests, "with other rules"
    other = subject(commit="f" * 40, paths=("x",))
    assert brief._digest(other, context("p"), "r") == digests[0], "not what it reads"


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (Finish(SKIPPED, {"unchanged_since": COMMIT}), "nothing has changed"),
        (Finish(SKIPPED), "nothing has changed"),
        (Done({"plan": {}}), "no plan could be made"),
    ],
    ids=["all was read before", "there is nothing", "it was not asked for a plan"],
)
def test_where_there_is_no_plan_the_reason_is_given_in_its_place(
    answer: Done | Finish, said: str
) -> None:
    assert brief.planned(answer) == said


def test_the_plan_is_given() -> None:
    made = plan(shard(1, "a"))
    stored = brief._PLAN.dump_python(made, mode="json")
    assert brief.planned(Finish(SKIPPED, {"plan": stored, "planned": True})) == made
