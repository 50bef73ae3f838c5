"""Every form of a report says all that a reader must know of it, whichever form that reader opens."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace

import pytest

from claude_pool_gh.audits.model import (
    AuditResult,
    AuditState,
    Completeness,
    Coverage,
    ShardResult,
    ShardState,
)
from claude_pool_gh.audits.outputs import html, markdown
from claude_pool_gh.audits.outputs import json as typed
from claude_pool_gh.reports.rendered import html_of
from tests.audits.make import HOME, defect, issue_of, partial, plan, result, rich, shard


def words(page: str) -> str:
    """A page's text, each run of blanks as one."""
    return " ".join(re.sub(r"<[^>]*>", "", page.partition("<body>")[2] or page).split())


FORMS: dict[str, Callable[[AuditResult], str]] = {
    "issue": lambda of: words(html_of(issue_of(of, HOME))),
    "markdown": lambda of: words(html_of(markdown.document(of, HOME))),
    "html": lambda of: words(html.document(of, HOME)),
    "json": lambda of: json.dumps(json.loads(typed.document(of))),
}
every_form = pytest.mark.parametrize("form", FORMS)
read_by_people = pytest.mark.parametrize("form", ["issue", "markdown", "html"])


@every_form
def test_what_a_maintainer_should_know_of_the_plan_is_told(form: str) -> None:
    of = result(plan=plan(shard(1), notices=("The pattern lib/** names no file.",)))
    assert "The pattern lib/** names no file." in FORMS[form](of)


@every_form
def test_the_command_that_goes_on_is_told(form: str) -> None:
    assert "/pool continue c-0123456789" in FORMS[form](partial())
    assert "/pool continue" not in FORMS[form](partial(resume=""))


@every_form
def test_a_file_that_the_agent_of_its_part_did_not_open_is_named(form: str) -> None:
    two = plan(shard(1, "shop/a.py", "shop/b.py"), shard(2))
    parts = (
        ShardResult(shard=two.shards[0], state=ShardState.read, unopened=("shop/b.py",)),
        ShardResult(shard=two.shards[1], state=ShardState.read),
    )
    of = result(
        plan=two, coverage=Coverage(shards=parts), completeness=Completeness.partial, findings=()
    )
    if form == "json":
        listed = json.loads(typed.document(of))["coverage"]["shards"]
        assert [each["not_opened"] for each in listed] == [["shop/b.py"], []]
        return
    told = FORMS[form](of)
    assert "not opened: shop/b.py" in told
    assert "shop/2" not in told, "what was read whole is not among it"


@read_by_people
def test_files_that_the_repository_itself_hides_are_named(form: str) -> None:
    told = FORMS[form](rich())
    assert "hidden by the repository's own .gitattributes: src/core.py" in told.replace(
        "&#x27;", "'"
    )


@read_by_people
@pytest.mark.parametrize(
    ("by", "reason", "said"),
    [
        ("mona", "the caller checks it", "· dismissed by mona: the caller checks it"),
        ("", "the caller checks it", "· dismissed: the caller checks it"),
        ("mona", "", "· dismissed by mona"),
        ("", "", "· dismissed"),
    ],
)
def test_who_dismissed_it_and_why_is_told_as_far_as_it_is_known(
    form: str, by: str, reason: str, said: str
) -> None:
    one = defect(1, state=AuditState.dismissed, settled_ms=1, settled_by=by, reason=reason)
    told = FORMS[form](result(one))
    assert said in told
    assert re.search(r"dismissed( by mona)?(: the|$| |<)", told)
    assert "by :" not in told
    assert ": :" not in told


@every_form
@pytest.mark.parametrize(
    "said",
    [
        "The rebate is taken twice (1)",
        "`total` has it already.",
        "two items -> 8 instead of 9",
        "return total - rebate",
        "return total",
        "shop/also.py",
        "defects/wrong-result",
    ],
)
def test_all_that_is_said_of_a_finding_is_there(form: str, said: str) -> None:
    more = replace(defect(2), finding=defect(2).finding.model_copy(update={"path": "shop/also.py"}))
    one = defect(1, stated={"suggestion": "    return total"}, also=(more.finding,))
    told = FORMS[form](result(one)).replace("&gt;", ">")
    assert said.replace("`", "") in told.replace("`", "")


@read_by_people
@pytest.mark.parametrize(
    ("fields", "said", "not_said"),
    [
        ({}, "confirmed by a second agent", "not verified"),
        ({"verified": False}, "not verified", "confirmed"),
        ({"reread": False}, "its place was not read in this run", "its file is gone"),
        ({"file_gone": True}, "its file is gone", "its place was not read"),
        ({"state": AuditState.new}, "new", "back again ("),
        ({"state": AuditState.reappeared}, "back again", "confirmed by nobody"),
    ],
)
def test_how_far_a_finding_is_to_be_believed_is_said(
    form: str, fields: dict[str, object], said: str, not_said: str
) -> None:
    told = FORMS[form](result(defect(1, **fields)))
    assert said in told
    assert not_said not in told
