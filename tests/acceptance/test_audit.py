"""`/pool audit`: from a comment to a report, on the simulated GitHub with a scripted model."""

from __future__ import annotations

import json
import subprocess
from collections import Counter
from typing import Any

import pytest

from claude_pool_gh.rehearsal.github.state.people import email
from claude_pool_gh.rehearsal.model import Answer, Fail, ToolUse
from tests.acceptance.auditor import RESULT, Auditor, claim, files_of
from tests.acceptance.colleague import Colleague, write
from tests.acceptance.world import World

PRICES, STORE = "shop/prices.py", "shop/store.py"
TOTAL = claim(PRICES, 8, "    return unit_cents * quantity", "A line has no discount")
ROW = claim(STORE, 19, "    return cursor.lastrowid", "The id may be of another order")
COMPLETED = "SELECT count(*) FROM tasks WHERE step = '{}' AND state = 'completed'"
BY_FOLDER = "audits:\n  defects:\n    by: folder\n"


@pytest.fixture
def auditor(here: World) -> Auditor:
    """The model, which audits."""
    made = Auditor()
    here.model.script = made
    return made


def configure(here: World, text: str) -> None:
    """Write the repository's configuration on the default branch."""
    here.repository.commit("main", {".github/claude-pool.yml": text}, author=here.maintainer)


def gathered(here: World) -> dict[str, Any]:
    """The newest result as it is stored."""
    rows = here.rows(
        "SELECT s.result FROM steps s JOIN chains c ON c.id = s.chain_id WHERE s.name = 'gather' "
        "AND s.result IS NOT NULL ORDER BY c.created_ms DESC, c.id LIMIT 1"
    )
    found = rows[0][0]
    result: dict[str, Any] = json.loads(found) if isinstance(found, str) else found
    return result


@pytest.mark.rotating(2)
async def test_an_audit_ends_in_a_report_of_what_a_second_agent_confirms(
    here: World, auditor: Auditor
) -> None:
    key = "sk_live_" + "x1Y" * 8
    told = TOTAL | {"scenario": f"With {key} in the file"}
    auditor.claims = (told, ROW, claim(PRICES, 3, "BULK_FROM = 11", "Misquoted"))
    auditor.verdicts = {ROW["title"]: "refuted"}
    issue = here.repository.open_issue("Audit", "Please.", here.maintainer)
    await here.say("/pool audit defects", number=issue.number)
    shown = await here.shows("audit", "### 🔎 Audit `defects`: 1 new (worst: high)", issue.number)
    assert "A line has no discount" in shown
    assert ROW["title"] not in shown, "what is refuted is counted, not shown"
    assert "Refuted by a second reader: 1" in shown
    result = gathered(here)
    assert (result["refuted"], result["unplaced"]) == (1, 1)
    assert result["completeness"] == "partial", "a claim was not settled"
    (finding,) = result["findings"]
    assert finding["finding"]["scenario"] == "With [redacted] in the file"
    assert key not in json.dumps(result)
    assert (finding["rule"], finding["state"], finding["verified"]) == (
        "defects/wrong-result",
        "new",
        True,
    )
    assert len(auditor.asked("verify-audit")) == 2


async def test_what_is_found_again_is_open_what_changed_is_judged_and_what_came_back_is_told(
    here: World, auditor: Auditor
) -> None:
    auditor.claims = (TOTAL,)
    await here.say("/pool audit")
    await here.shows("audit", "### 🔎 Audit `defects`: 1 new")
    await here.say("/pool audit")
    await here.shows("audit", "### 🔎 Audit `defects`: 1 still open (worst: high)")
    assert len(auditor.asked("verify-audit")) == 1, "nothing is paid for twice"
    text = here.repository.read("main", PRICES).decode()
    mended = text.replace("return unit_cents * quantity", "return unit_cents * quantity // 1")
    here.repository.commit("main", {PRICES: mended}, author=here.maintainer)
    auditor.claims, auditor.verdicts = (), {TOTAL["title"]: "fixed"}
    await here.say("/pool audit")
    await here.shows("audit", "### ✅ Audit `defects`: 1 fixed in")
    here.repository.commit("main", {PRICES: text}, author=here.maintainer)
    auditor.claims, auditor.verdicts = (TOTAL,), {}
    await here.say("/pool audit")
    await here.shows("audit", "### 🔎 Audit `defects`: 1 back (worst: high)")
    assert [each["state"] for each in gathered(here)["findings"]] == ["reappeared"]


async def test_a_part_that_fails_costs_only_itself_and_nothing_is_called_clean(
    here: World, auditor: Auditor
) -> None:
    configure(here, BY_FOLDER)
    auditor.claims = (TOTAL,)
    auditor.instead = lambda files: (
        Fail(400, "invalid_request_error", "refused") if "AGENTS.md" in files else None
    )
    await here.say("/pool audit")
    shown = await here.shows("audit", "### ⚠️ Audit `defects`: PARTLY AUDITED (1 finding): ")
    assert "A line has no discount" in shown
    assert gathered(here)["completeness"] == "partial"
    auditor.claims = ()
    await here.say("/pool audit")
    await here.shows("audit", "1 earlier run")
    assert "Nothing found" not in here.comment_of("audit")


async def test_a_part_that_reports_ten_thousand_lies_costs_only_itself(
    here: World, auditor: Auditor
) -> None:
    configure(here, BY_FOLDER)
    lies = [claim("../../etc/passwd", n, "root:x:0:0", f"Lie {n}") for n in range(1, 10_001)]
    auditor.claims = (TOTAL,)
    said = Answer((ToolUse("Read", {"file_path": "AGENTS.md"}),))
    over = Answer((ToolUse(RESULT, {"findings": lies}),))
    turns = iter([said, *[over] * 20])
    auditor.instead = lambda files: next(turns) if "AGENTS.md" in files else None
    await here.say("/pool audit")
    shown = await here.shows("audit", "A line has no discount")
    assert "Lie" not in shown
    result = gathered(here)
    assert result["beyond_limit"] > 9_000
    assert result["unplaced"] == 25


async def test_an_answer_without_opening_a_file_is_no_reading(
    here: World, auditor: Auditor
) -> None:
    auditor.opens = False
    await here.say("/pool audit")
    shown = await here.shows("audit", "NOT AUDITED")
    assert "without opening any of its files" in shown
    assert gathered(here)["completeness"] == "nothing"


def commit_odd_files(here: World) -> None:
    """What a repository may hold besides text under plain names: a ring of links, a submodule, odd names, much text."""
    git = here.repository.git
    large = b"x = 1\n" * 200_000
    lines = b"".join(
        (
            b"commit refs/heads/main\n",
            f"committer mona <{email(here.maintainer)}> 0 +0000\ndata 3\nOdd\n".encode(),
            f"from {here.repository.head()}\n".encode(),
            b"M 120000 inline shop/one\ndata 3\ntwo\nM 120000 inline shop/two\ndata 3\none\n",
            b"M 160000 " + b"1" * 40 + b" shop/sub\n",
            b"M 100644 inline shop/l\xe9.py\ndata 6\nx = 1\n\n",
            b'M 100644 inline "shop/a\\n\\"b.py"\ndata 6\nx = 1\n\n',
            b"M 100644 inline shop/large.py\ndata %d\n%s\n" % (len(large), large),
        )
    )
    command = ("git", "-C", str(git.path), "fast-import", "--quiet", "--force")
    subprocess.run(command, input=lines, check=True, capture_output=True)


async def test_a_plan_costs_nothing_and_says_what_would_be_read(
    here: World, auditor: Auditor
) -> None:
    commit_odd_files(here)
    said = {"path": TOTAL["path"], "start_line": 1, "end_line": 1, "annotation_level": "failure"}
    output = {"title": "1", "summary": "1", "annotations": [said | {"message": "wrong"}]}
    here.repository.check(
        here.repository.head(), "tests", status="completed", conclusion="failure", output=output
    )
    await here.say("/pool audit security shop --plan")
    shown = await here.shows("audit", "### ✅ Audit `security`: Plan: ")
    (row,) = here.rows("SELECT result FROM steps WHERE name = 'plan'")
    plan = json.loads(row[0]) if isinstance(row[0], str) else row[0]
    assert plan["plan"]["shards"][0]["risk"]["signals"]["failing"] == 2
    left_out = Counter(each["reason"] for each in plan["plan"]["skipped"])
    odd = {"symbolic link": 2, "submodule": 1, "too large": 1, "name that is not UTF-8": 1}
    assert left_out == odd
    assert 'shop/a\n"b.py' in {path for each in plan["plan"]["shards"] for path in each["paths"]}
    assert "published prices of other tools" in shown
    assert auditor.seen == []
    assert here.ledger == 0


async def test_claims_of_two_parts_that_are_one_fault_are_shown_once(
    here: World, auditor: Auditor
) -> None:
    auditor.claims, auditor.same = (TOTAL, ROW), True
    await here.say("/pool audit")
    await here.shows("audit", "### 🔎 Audit `defects`: 1 new (worst: high)")
    (finding,) = gathered(here)["findings"]
    assert len(finding["also"]) == 1


async def test_a_budget_that_is_too_small_is_refused_or_reaches_the_riskiest_part(
    here: World, auditor: Auditor
) -> None:
    large = {"shop/catalogue.py": "PRICE = 1\n" * 20_000}
    here.repository.commit("main", large, author=here.maintainer)
    configure(here, f"{BY_FOLDER}    budget: 0.9\n    over_budget: refuse\n")
    await here.say("/pool audit")
    await here.shows("audit", "nothing was read")
    assert auditor.seen == []
    configure(here, f"{BY_FOLDER}    budget: 0.9\n")
    await here.say("/pool audit")
    shown = await here.shows("audit", "NOT SETTLED: 1 file not read: the budget does not reach it")
    assert "Nothing found" not in shown.split("\n", 1)[0]
    assert gathered(here)["completeness"] == "partial"


async def test_a_finding_is_dismissed_or_fixed_by_its_id_in_an_issue(
    here: World, auditor: Auditor
) -> None:
    auditor.claims = (TOTAL, ROW)
    issue = here.repository.open_issue("Audit", "Please.", here.maintainer)
    await here.say("/pool audit", number=issue.number)
    await here.shows("audit", "### 🔎 Audit `defects`: 2 new", issue.number)
    ids = {each["finding"]["title"]: each["id"] for each in gathered(here)["findings"]}
    await here.say(f"/pool dismiss {ids[ROW['title']][:8]} one writer only", number=issue.number)
    await here.said(ROW["title"], issue.number)
    mender = Colleague(mends=(write("shop/limits.py", "LIMIT = 1\n"),))
    here.model.script = mender
    await here.say(f"/pool fix {ids[TOTAL['title']][:8]}", number=issue.number)
    shown = await here.shows("fix", "AWAITING APPROVAL", issue.number)
    assert TOTAL["title"] in mender.asked("fix-problems")[0].text
    await here.say("/pool approve " + shown.split("/pool approve ")[1][:10], number=issue.number)
    await here.shows("fix", "### ✅ Pull request #", issue.number)
    made = here.repository.pulls[-1]
    assert f"`{ids[TOTAL['title']][:8]}`" in made.body
    assert f"Closes #{issue.number}" not in made.body, "the report stays"
    here.model.script = auditor
    await here.say("/pool audit", number=issue.number)
    await here.shows("audit", "1 still open", issue.number)
    states = {each["finding"]["title"]: each["state"] for each in gathered(here)["findings"]}
    assert states == {TOTAL["title"]: "open", ROW["title"]: "dismissed"}


async def test_a_cancelled_audit_says_what_it_has_and_the_next_one_goes_on_and_pays_for_nothing_twice(
    here: World, auditor: Auditor
) -> None:
    configure(here, BY_FOLDER)
    auditor.claims = (TOTAL,)
    auditor.instead = lambda files: (
        Answer((ToolUse("Read", {"file_path": "AGENTS.md"}),), delay=120)
        if "AGENTS.md" in files
        else None
    )
    await here.say("/pool audit")
    await here.until(lambda: here.rows(COMPLETED.format("find"))[0][0] >= 2)
    await here.say("/pool cancel")
    shown = await here.shows("audit", "NOT AUDITED: cancelled")
    assert "what they say is not verified" in shown
    assert TOTAL["title"] in shown
    assert "The same command goes on with the rest" in shown
    auditor.instead = lambda _: None
    await here.say("/pool audit")
    await here.shows("audit", "### 🔎 Audit `defects`: 1 new")
    asked = Counter(tuple(files_of(each)) for each in auditor.asked("audit-defects"))
    (again,) = (files for files, number in asked.items() if number > 1)
    assert "AGENTS.md" in again, "only what had not ended is read again"
    assert gathered(here)["completeness"] == "complete"


async def test_one_that_was_cancelled_while_it_verified_reads_and_judges_nothing_again(
    here: World, auditor: Auditor
) -> None:
    configure(here, BY_FOLDER)
    auditor.claims, auditor.waits = (TOTAL, ROW), (TOTAL["title"],)
    await here.say("/pool audit")
    await here.until(lambda: here.rows(COMPLETED.format("verify"))[0][0] == 1)
    await here.say("/pool cancel")
    await here.shows("audit", "NOT AUDITED: cancelled")
    auditor.waits, finders = (), len(auditor.asked("audit-defects"))
    await here.say("/pool audit")
    await here.shows("audit", "### 🔎 Audit `defects`: 2 new")
    assert len(auditor.asked("audit-defects")) == finders, "everything was read"
    judged = [each for each in auditor.asked("verify-audit") if ROW["title"] in each.text]
    assert len(judged) == 1
    await here.say("/pool audit --fresh")
    await here.shows("audit", "### 🔎 Audit `defects`: 2 still open")
    assert len(auditor.asked("audit-defects")) > finders


async def test_of_two_audits_of_one_name_at_once_one_runs_and_the_other_is_told(
    here: World, auditor: Auditor
) -> None:
    auditor.claims = (TOTAL,)
    await here.say("/pool audit defects\n/pool audit defects shop")
    await here.said("The audit `defects` is running already.")
    await here.shows("audit", "### 🔎 Audit `defects`: 1 new")
    assert here.rows("SELECT count(*) FROM audit_runs") == [(1,)]


async def test_a_limit_of_the_model_half_way_leaves_a_part_unread_and_the_rest_reported(
    here: World, auditor: Auditor
) -> None:
    configure(here, BY_FOLDER)
    auditor.claims = (TOTAL,)
    auditor.instead = lambda files: (
        Fail(400, "invalid_request_error", "prompt is too long") if "AGENTS.md" in files else None
    )
    await here.say("/pool audit")
    await here.shows("audit", "PARTLY AUDITED (1 finding)")
    unread = [each["state"] for each in gathered(here)["coverage"]["shards"]]
    assert sorted(set(unread)) == ["failed", "read"]
