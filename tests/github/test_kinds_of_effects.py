"""An effect is one class: what it needs to be one is asked for by name, and everything else follows."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from claude_pool_gh.conversation.secret_filter import without_secrets
from claude_pool_gh.github import effects
from claude_pool_gh.github.effects import rows
from claude_pool_gh.github.effects.effect import KINDS, Effect
from claude_pool_gh.github.effects.registry import kinds, read
from claude_pool_gh.github.tables import effects as effect_rows
from claude_pool_gh.github.tables import repositories
from claude_pool_gh.reports.redact import Redactor
from claude_pool_gh.storage import Database, Transaction, migrations
from claude_pool_gh.terms.ids import Repository

TOKEN = "ghp_" + "aB3dE5gH7jK9mN1pQ3sT5vW7yZ9bD1fG3hJ5"
REPOSITORY = Repository(id=1, owner="octo", name="shop", installation_id=9)
NOTE = '''
from collections.abc import Callable
from typing import ClassVar, Literal, Self

from claude_pool_gh.github.effects.effect import Effect


class Note(Effect):
    """A note."""

    kind: Literal["note"] = "note"
    priority: ClassVar[int] = 1
    called: ClassVar[str] = "the note"
    permission: ClassVar[str] = "issues=write"
    number: int
    body: str

    def texts(self):
        return (self.body,)

    def reworded(self, change):
        return self._with(body=change(self.body))

    async def make(self, forge, making):
        return None

    async def find(self, forge, making):
        return None
'''


@pytest.fixture
def define(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[str], ModuleType]]:
    """Puts a source file beside the package's own effects, for the length of a test."""
    before = dict(KINDS)
    names: list[str] = []
    monkeypatch.setattr(effects, "__path__", [*effects.__path__, str(tmp_path)])

    def put(source: str) -> ModuleType:
        name = f"added_{len(names)}"
        (tmp_path / f"{name}.py").write_text(source)
        names.append(f"{effects.__name__}.{name}")
        __import__(names[-1])
        return sys.modules[names[-1]]

    yield put
    for name in names:
        sys.modules.pop(name, None)
    KINDS.clear()
    KINDS.update(before)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = Database.open(f"sqlite:///{tmp_path}/pool.db")
    migrations.upgrade(database.engine)
    yield database
    database.close()


async def test_a_new_effect_is_stored_found_due_and_looked_through_for_secrets_by_its_class_alone(
    define: Callable[[str], ModuleType], database: Database
) -> None:
    note = define(NOTE).Note

    def wanted(tx: Transaction) -> rows.EffectRow | rows.Unreadable | None:
        own = {"id": 1, "owner": "octo", "name": "shop", "installation_id": 9, "state": "active"}
        columns = {column.name for column in repositories.columns}
        tx.execute(repositories.insert().values({key: own[key] for key in own if key in columns}))
        rows.want(tx, "note:1", REPOSITORY, note(number=7, body="hello"), 0)
        return rows.next_due(tx, 9, 0)

    due = await database.transact(wanted)
    assert isinstance(due, rows.EffectRow)
    assert due.effect == note(number=7, body="hello")
    assert read({"kind": "note", "number": 7, "body": "hello"}) == due.effect
    kept = without_secrets(Redactor())(note(number=7, body=f"see {TOKEN}"))
    assert TOKEN not in str(kept)
    assert await database.read(lambda tx: tx.execute(effect_rows.select()).one().priority) == 1


@pytest.mark.parametrize(
    ("without", "problem"),
    [
        ('    kind: Literal["note"] = "note"\n', "kind"),
        ("    priority: ClassVar[int] = 1\n", "needs a priority: priority: ClassVar"),
        ('    called: ClassVar[str] = "the note"\n', "needs `called`"),
        ('    permission: ClassVar[str] = "issues=write"\n', "needs `permission`"),
        ("    def texts(self):\n        return (self.body,)\n", "abstract method'? '?texts"),
        (
            "    async def find(self, forge, making):\n        return None\n",
            "abstract method'? '?find",
        ),
    ],
)
def test_what_a_new_effect_lacks_is_asked_for_by_name(
    define: Callable[[str], ModuleType], without: str, problem: str
) -> None:
    assert without in NOTE
    with pytest.raises(TypeError, match=problem):
        define(NOTE.replace(without, "")).Note(number=7, body="hello")


def test_two_effects_of_one_name_are_refused(define: Callable[[str], ModuleType]) -> None:
    define(NOTE)
    with pytest.raises(TypeError, match="both called"):
        define(NOTE.replace("class Note", "class Other"))


def test_every_text_of_a_kind_is_seen_by_the_look_for_secrets() -> None:
    """A field that people read and that `texts` forgets would leave unseen: each is tried by its annotation."""
    ours = {
        "kind",
        "name",
        "head",
        "branch",
        "base",
        "commit",
        "mark",
        "status",
        "conclusion",
        "headline",
        "content",
        "ref",
        "tool",
        "category",
    }
    for name, kind in kinds().items():
        worded = {
            field for field, info in kind.model_fields.items() if info.annotation is str
        } - ours
        texts = {field for field in worded if _is_seen(kind, field)}
        assert texts == worded, name


def _is_seen(kind: type[Effect], field: str) -> bool:
    """Whether a text in this field is among the effect's texts, and can be changed."""
    values: dict[str, Any] = {
        each: "" for each, info in kind.model_fields.items() if info.annotation is str
    }
    made = kind.model_construct(**(values | {"comments": (), field: TOKEN}))
    return TOKEN in made.texts() and TOKEN not in str(
        made.reworded(lambda text: text.replace(TOKEN, ""))
    )
