"""The repository, the pull request and the people that the rows in these tests are about."""

from __future__ import annotations

from typing import Any

from claude_pool_gh.github.tables import repositories
from claude_pool_gh.storage import Transaction
from claude_pool_gh.terms.ids import Actor, Repository, Thread

SHOP = Repository(id=1, owner="octo", name="shop", installation_id=9)
THREAD = Thread(repository=SHOP, number=7)
KEY = "1:7"
MONA = Actor(id=3, login="mona")


def also(tx: Transaction, number: int, *, state: str = "active", **names: Any) -> Repository:
    """Another repository, of the same installation where no other is given."""
    made = SHOP.model_copy(update={"id": number, "name": f"r{number}", **names})
    tx.execute(repositories.insert().values(**made.model_dump(), state=state))
    return made
