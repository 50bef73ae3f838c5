"""A project's recipes are a stranger's: nothing outside of their folder gets into a prompt through a link of theirs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from claude_pool_gh.local import PROJECT_RECIPES, recipes
from claude_pool_gh.pool.model.errors import RecipeError
from claude_pool_gh.service.shell.recipe_files import check_all, eject

SECRET = "---\nname: look\ndescription: d\n---\nsecret: hunter2\n"
SKILL = "---\nname: look\ndescription: d\n---\nRead notes.md.\n"
WORKFLOW = "name: look\ndescription: d\nsteps:\n  - name: a\n    prompt: hunter2\n"


def linked_skill(own: Path, mine: Path) -> None:
    (own / "skills" / "look").mkdir(parents=True)
    (own / "skills" / "look" / "SKILL.md").symlink_to(mine / "SKILL.md")


def linked_folder(own: Path, mine: Path) -> None:
    (own / "skills").mkdir(parents=True)
    (own / "skills" / "look").symlink_to(mine)


def linked_whole(own: Path, mine: Path) -> None:
    own.parent.mkdir()
    (mine / "skills").mkdir()
    (mine / "skills" / "look").symlink_to(mine)
    own.symlink_to(mine)


def linked_bundle(own: Path, mine: Path) -> None:
    (own / "skills" / "look").mkdir(parents=True)
    (own / "skills" / "look" / "SKILL.md").write_text(SKILL)
    (own / "skills" / "look" / "notes.md").symlink_to(mine / "SKILL.md")


def linked_workflow(own: Path, mine: Path) -> None:
    (own / "workflows").mkdir(parents=True)
    (own / "workflows" / "look.yml").symlink_to(mine / "look.yml")


LINKS = [linked_skill, linked_folder, linked_whole, linked_bundle, linked_workflow]


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    """A folder outside of the checkout."""
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "SKILL.md").write_text(SECRET)
    (folder / "look.yml").write_text(WORKFLOW)
    return folder


@pytest.mark.parametrize("link", LINKS)
def test_a_recipe_behind_a_link_that_leads_out_is_not_read(
    tmp_path: Path, mine: Path, link: Callable[[Path, Path], None]
) -> None:
    checkout = tmp_path / "shop"
    checkout.mkdir()
    link(checkout / PROJECT_RECIPES, mine)
    library = recipes(checkout)
    with pytest.raises(RecipeError, match="a link leads out of the folder of recipes") as refused:
        (library.workflow if link is linked_workflow else library.skill)("look")
    assert "hunter2" not in str(refused.value)
    if link in (linked_skill, linked_folder, linked_workflow):
        (checked,) = check_all(checkout)
        assert "a link leads out" in checked.faults[0]


def test_a_built_in_recipe_is_not_copied_through_a_link(tmp_path: Path, mine: Path) -> None:
    own = tmp_path / "shop" / PROJECT_RECIPES / "workflows"
    own.mkdir(parents=True)
    (own / "audit-docs.yml").symlink_to(mine / "new.yml")
    with pytest.raises(RecipeError, match="through a link that leads out"):
        eject("audit-docs", tmp_path / "shop")
    assert not (mine / "new.yml").exists()


def test_links_within_the_folder_and_above_the_checkout_are_followed(tmp_path: Path) -> None:
    checkout = tmp_path / "shop"
    own = checkout / PROJECT_RECIPES / "skills"
    (own / "look").mkdir(parents=True)
    (own / "look" / "SKILL.md").write_text(SKILL)
    (own / "look" / "notes.md").symlink_to("SKILL.md")
    (tmp_path / "link").symlink_to(checkout)
    assert "Read notes.md." in recipes(tmp_path / "link").skill("look").prompt
