"""The base of all effects: each is one class in one file of this package, with all that is to be known of it.

A new kind declares its `kind`, its `priority`, its texts, and how it is made and found again; everything else follows
from the class: the rows store it, the writer makes it, the last look for secrets sees its texts.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Self, get_args

from claude_pool_gh.github.api import Forge
from claude_pool_gh.terms.ids import Repository, Term

KINDS: dict[str, type[Effect]] = {}
"""Every kind of effect whose class was defined, by its name; `registry.kinds` sees that those of this package are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Making:
    """The facts of an effect besides its content, when it is made, changed or looked for."""

    key: str
    repository: Repository
    marker: str
    """Hidden in the body of what we make, so that it can be found again; only our own author's counts."""
    attempted: bool = False
    """Whether it was tried before, so that it may stand although nobody was told."""
    remote_id: int | None = None
    tries: int = 0
    note: str = ""
    """What GitHub called something that it had taken and not finished at the last try, see `Unfinished`."""
    pace: float = 0.0
    """Seconds between two writes of one effect that takes many, as between two effects."""


class Effect(Term, ABC):
    """Something that should stand or happen on GitHub."""

    kind: str
    priority: ClassVar[int]
    """Lower goes first: what people wait for, refusals, first comments and results before progress."""
    called: ClassVar[str]
    """What people know it by, as in "GitHub refused the comment"."""
    permission: ClassVar[str]
    """What a token needs for it, in the form of GitHub's header `X-Accepted-GitHub-Permissions`."""
    optional: ClassVar[bool] = False
    """Whether it is wanted only where a repository asks for it: a new App does not ask for its permission."""
    once: ClassVar[bool] = False
    """Whether it happens one time, whatever is wanted later under the same key."""
    lasting: ClassVar[bool] = False
    """Whether it is still brought up to date when its repository can be reached again after a while."""

    @classmethod
    def __pydantic_init_subclass__(cls, **_more: Any) -> None:
        """Make the kind known. Raises TypeError for one that does not say all that it has to."""
        names = get_args(cls.model_fields["kind"].annotation)
        if len(names) != 1 or cls.model_fields["kind"].default != names[0]:
            raise TypeError(f'{cls.__name__} needs its name: kind: Literal["name"] = "name"')
        if not isinstance(getattr(cls, "priority", None), int):
            raise TypeError(f"{cls.__name__} needs a priority: priority: ClassVar[int] = 2")
        for name, example in (("called", "the note"), ("permission", "issues=write")):
            if not isinstance(getattr(cls, name, None), str):
                raise TypeError(
                    f'{cls.__name__} needs `{name}`: {name}: ClassVar[str] = "{example}"'
                )
        if (other := KINDS.get(names[0])) is not None and other.__qualname__ != cls.__qualname__:
            raise TypeError(f"{cls.__name__} and {other.__name__} are both called {names[0]!r}")
        KINDS[names[0]] = cls

    @abstractmethod
    def texts(self) -> tuple[str, ...]:
        """Every text in it that people can read; nothing that holds a secret leaves."""

    @abstractmethod
    def reworded(self, change: Callable[[str], str]) -> Self:
        """The same with each of its texts changed."""

    def withheld(self, note: str, holds_secret: Callable[..., bool]) -> Self:  # noqa: ARG002 - for those with parts
        """The harmless form of one whose texts hold a secret. `holds_secret`: whether any of the texts given does."""
        return self.reworded(lambda _text: note)

    def instead(self) -> Effect | None:
        """The effect that takes its place where GitHub refuses it: what it says must not be lost with its form."""
        return None

    @abstractmethod
    async def make(self, forge: Forge, making: Making) -> int | None:
        """Make it for the first time; its id on GitHub."""

    async def update(self, forge: Forge, making: Making, remote_id: int) -> int:  # noqa: ARG002 - some have nothing to do
        """Bring what stands to this content; the id that it has now. Raises NotFound where a person deleted it."""
        return remote_id

    @abstractmethod
    async def find(self, forge: Forge, making: Making) -> int | None:
        """The id of what an earlier attempt made, if it did. None too where making it again changes nothing."""

    def _with(self, **words: object) -> Self:
        new = {name: value for name, value in words.items() if value != getattr(self, name)}
        return self.model_copy(update=new) if new else self
