"""Names, numbers and roles as GitHub gives them."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from claude_pool_gh.terms.ids import Actor, CommentRef, Repository, Thread
from claude_pool_gh.terms.roles import Role


def test_roles_are_in_order() -> None:
    assert list(Role) == [Role.none, Role.read, Role.triage, Role.write, Role.maintain, Role.admin]
    assert Role.none < Role.read < Role.triage < Role.write < Role.maintain < Role.admin


@pytest.mark.parametrize(
    "name", ["", "custom", "Admin", "ADMIN", "owner", "security-manager", "named", "__class__"]
)
def test_an_unknown_role_counts_as_none(name: str) -> None:
    assert Role.named(name) is Role.none


@pytest.mark.parametrize("role", list(Role))
def test_a_role_is_known_by_its_name(role: Role) -> None:
    assert Role.named(role.name) is role


@pytest.mark.parametrize("name", ["octo", "a", "A-b_c.d", ".github", "x" * 100, "..."])
def test_a_name_that_github_gives_is_taken(name: str) -> None:
    assert Repository(id=1, owner="octo", name=name).full_name == f"octo/{name}"


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "..",
        "a/b",
        "../x",
        "a b",
        "a?b",
        "a#b",
        "a%2fb",
        "x" * 101,
        "ü",
        "a\n",
        "a\0",
        "@a",
        "a:b",
    ],
)
def test_a_name_that_is_unsafe_in_an_address_is_refused(name: str) -> None:
    for owner, repository in ((name, "widgets"), ("octo", name)):
        with pytest.raises(ValidationError):
            Repository(id=1, owner=owner, name=repository)


@pytest.mark.parametrize("number", [0, -1])
def test_numbers_are_positive(number: int) -> None:
    repository = Repository(id=1, owner="octo", name="widgets")
    with pytest.raises(ValidationError):
        Repository(id=number, owner="octo", name="widgets")
    with pytest.raises(ValidationError):
        Thread(repository=repository, number=number)
    with pytest.raises(ValidationError):
        Actor(id=number, login="mona")
    with pytest.raises(ValidationError):
        CommentRef(id=number)


def test_terms_are_closed_and_frozen() -> None:
    with pytest.raises(ValidationError):
        Actor.model_validate({"id": 1, "login": "mona", "admin": True})
    with pytest.raises(ValidationError):
        Actor(id=1, login="mona").id = 2  # type: ignore[misc]
