"""On which side of a change a finding stands, and under which name of its file."""

from __future__ import annotations

import pytest

from claude_pool_gh.findings.anchor import DroppedFinding, anchor
from claude_pool_gh.findings.model import EVIDENCE_LIMIT, Finding
from tests.findings.make import finding

OLD, NEW = "a = 1\ngone = 2\nb = 3\n", "a = 1\nb = 3\n"


@pytest.mark.parametrize(
    ("evidence", "side"),
    [
        ("-gone = 2", "LEFT"),
        ("-gone = 2\n\n", "LEFT"),
        ("gone = 2", None),
        ("-a = 1", None),
    ],
    ids=["as a diff shows it", "with blank lines", "as a file shows it", "what still stands"],
)
def test_deleted_code_is_meant_where_it_is_quoted_as_deleted(
    evidence: str, side: str | None
) -> None:
    stated = finding(path="a.py", evidence=evidence, start_line=2)
    found = anchor(stated, {"a.py": NEW}, {"a.py": OLD})
    assert (found.side if isinstance(found, Finding) else None) == side
    if isinstance(found, DroppedFinding):
        assert "only in the file before the change" in found.reason


def test_deleted_code_of_a_renamed_file_has_the_new_name() -> None:
    stated = finding(path="new.py", evidence="gone = 2", side="LEFT", start_line=2)
    found = anchor(stated, {"new.py": NEW}, {"old.py": OLD}, {"new.py": "old.py"})
    assert isinstance(found, Finding)
    assert (found.path, found.side) == ("new.py", "LEFT")
    by_its_old_name = stated.model_copy(update={"path": "old.py"})
    found = anchor(by_its_old_name, {"new.py": NEW}, {"old.py": OLD}, {"new.py": "old.py"})
    assert isinstance(found, Finding)
    assert found.path == "new.py"


def test_a_finding_at_the_head_may_name_the_file_as_it_was_called_before() -> None:
    stated = finding(path="old.py", evidence="b = 3", start_line=3)
    found = anchor(stated, {"new.py": NEW}, {"old.py": OLD}, {"new.py": "old.py"})
    assert isinstance(found, Finding)
    assert (found.path, found.side, found.start_line) == ("new.py", "RIGHT", 2)


def test_where_two_files_have_changed_names_each_is_held_against_its_own_past() -> None:
    """`b.py` was `a.py`, and a new `a.py` was made: what is gone from the old one is not gone from the new one."""
    head, base = {"b.py": NEW, "a.py": OLD}, {"a.py": OLD}
    stated = finding(path="b.py", evidence="gone = 2", side="LEFT", start_line=2)
    found = anchor(stated, head, base, {"b.py": "a.py"})
    assert isinstance(found, Finding)
    assert (found.path, found.side) == ("b.py", "LEFT")


def test_the_quote_is_as_the_file_has_it_where_that_is_no_longer_than_a_finding_may_be() -> None:
    line = "x" * 300
    for lines, is_whole in ((12, True), (13, False)):
        stated = finding(evidence="\n".join([line] * lines), start_line=1)
        text = "\n".join([" " * 20 + line] * lines)
        assert (len(text) <= EVIDENCE_LIMIT) is is_whole
        found = anchor(stated, {stated.path: text}, {})
        assert isinstance(found, Finding)
        assert found.evidence == (text if is_whole else stated.evidence)
