import io

import pytest

from members.importer import import_members
from members.store import MemberStore

GOOD = "email,name,joined\nAnn@Example.org, Ann  Lee ,2024-02-29\n"


def test_adds_and_normalises():
    store = MemberStore()
    report = import_members(io.StringIO(GOOD), store)
    assert report.added == 1
    assert store.get("ann@example.org").name == "Ann Lee"


def test_counts_known_members():
    store = MemberStore()
    import_members(io.StringIO(GOOD), store)
    assert import_members(io.StringIO(GOOD), store).known == 1


def test_reports_problems_by_line():
    text = "email,name,joined\nnobody,X,2024-01-01\na@b.c,,2024-01-01\na@b.c,A,soon\n"
    report = import_members(io.StringIO(text), MemberStore())
    assert report.problems == [
        "line 2: no e-mail address",
        "line 3: no name",
        "line 4: joined is not a date",
    ]


def test_missing_column():
    with pytest.raises(ValueError, match="joined"):
        import_members(io.StringIO("email,name\n"), MemberStore())
