"""The rehearsal's example: a small shop, a pull request with two defects, and the reviewer's findings.

Of the four things it states, two are true; the second reader refutes one, and one quotes a line that is not there,
so that each of the bot's filters has something to do.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Final

from claude_pool_gh.rehearsal.github import Pull, Repository, SimulatedGitHub, User
from claude_pool_gh.rehearsal.reviewer import Planted

TITLE: Final = "Bulk discount, vouchers, and a customer's orders"
BODY: Final = """Adds the bulk discount of 5 % from ten pieces on, vouchers, and a list of a customer's orders.

The price list on the counter says: *from 10 pieces, 5 % off*."""


def base_files() -> dict[str, str]:
    """The repository before the pull request."""
    return dict(_read(files(__name__).joinpath("base")))


def head_files() -> dict[str, str]:
    """The files that the pull request changes."""
    return dict(_read(files(__name__).joinpath("head")))


def set_up(github: SimulatedGitHub) -> tuple[Repository, Pull, User]:
    """The repository with its open pull request, and its maintainer."""
    maintainer, author = github.create_user("mona"), github.create_user("hubot-fan")
    repository = github.create_repository("octo/shop", files=base_files())
    repository.grant(maintainer, "maintain")
    repository.grant(author, "write")
    repository.commit(
        "bulk-discount", head_files(), message="Add bulk discount and vouchers", author=author
    )
    pull = repository.open_pull("bulk-discount", base="main", title=TITLE, body=BODY, author=author)
    return repository, pull, maintainer


PLANTED: Final = (
    Planted(
        {
            "path": "shop/store.py",
            "start_line": 23,
            "end_line": 23,
            "severity": "critical",
            "category": "security",
            "title": "The customer's name is pasted into the SQL text",
            "body": "`orders_of` builds its query with an f-string, so a name with a quote changes the statement. "
            "`add_order` above binds its values, and AGENTS.md asks for placeholders.",
            "scenario": "orders_of(c, \"x' OR '1'='1\") -> the orders of every customer",
            "evidence": "    query = f\"SELECT id, cents FROM orders WHERE customer = '{customer}' ORDER BY id\"\n"
            "    return connection.execute(query).fetchall()",
            "confidence": 0.98,
            "suggestion": '    query = "SELECT id, cents FROM orders WHERE customer = ? ORDER BY id"\n'
            "    return connection.execute(query, (customer,)).fetchall()",
        }
    ),
    Planted(
        {
            "path": "shop/prices.py",
            "start_line": 10,
            "end_line": 10,
            "severity": "high",
            "category": "correctness",
            "title": "Exactly ten pieces get no bulk discount",
            "body": "The docstring and the pull request promise the discount from `BULK_FROM` pieces on, but the "
            "comparison leaves the boundary out.",
            "scenario": "line_total(100, 10) -> 1000 instead of 950",
            "evidence": "    if quantity > BULK_FROM:",
            "confidence": 0.95,
            "suggestion": "    if quantity >= BULK_FROM:",
        }
    ),
    Planted(
        {
            "path": "shop/prices.py",
            "start_line": 18,
            "end_line": 18,
            "severity": "medium",
            "category": "correctness",
            "title": "The voucher is rounded in the shop's favour",
            "body": "Integer division rounds the reduction down.",
            "scenario": "order_total([(99, 1)], 50) -> 50 where half a cent would be given away",
            "evidence": "    return total - total * voucher_percent // 100",
            "confidence": 0.6,
        },
        verdict="refuted",
        reason="cents are whole by design (AGENTS.md), and rounding a reduction down is consistent with line 11",
    ),
    Planted(
        {
            "path": "shop/prices.py",
            "start_line": 5,
            "end_line": 5,
            "severity": "low",
            "category": "correctness",
            "title": "A line that the file does not have",
            "body": "Models misquote; the host notices.",
            "scenario": "never",
            "evidence": "BULK_PERCENT = 50",
            "confidence": 0.7,
        }
    ),
)


def _read(folder: Traversable, prefix: str = "") -> Iterator[tuple[str, str]]:
    for entry in folder.iterdir():
        if entry.name == "__pycache__":
            continue
        if entry.is_dir():
            yield from _read(entry, f"{prefix}{entry.name}/")
        else:
            yield f"{prefix}{entry.name}", entry.read_text("utf-8")
