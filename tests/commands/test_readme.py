"""The README says of every verb what its class says, in the order of the help."""

from __future__ import annotations

import pytest

from claude_pool_gh.conversation.registry import handlers
from tests.commands.readme import HEAD, README, row, written

TEXT = README.read_text("utf-8")
VERBS = {name: each.verb for name, each in handlers().items()}


@pytest.mark.parametrize("name", VERBS)
def test_the_readme_has_the_row_of_a_verb(name: str) -> None:
    assert row(VERBS[name]) in TEXT.splitlines(), "`make readme` writes it"


def test_the_table_is_what_would_be_written() -> None:
    assert written(TEXT, VERBS.values()) == TEXT, "`make readme` writes it"


def test_it_is_made_of_the_verbs_that_there_are() -> None:
    alone = written(TEXT, [VERBS["ask"]])
    assert f"{HEAD}{row(VERBS['ask'])}\n\n" in alone
    assert row(VERBS["fix"]) not in alone
    with pytest.raises(ValueError, match="0 tables"):
        written("nothing", VERBS.values())
