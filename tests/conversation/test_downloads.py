"""The address of a download is known to whoever was shown it, and leads to nothing else."""

from __future__ import annotations

import pytest

from claude_pool_gh.conversation.downloads import What, key_of, may_have, url_of
from claude_pool_gh.terms.links import Links

LINKS = Links(server="https://github.com", public="https://pool.example", download_key=b"k" * 32)
PRIVATE = Links(server="https://github.com", download_key=b"k" * 32)
OTHER = Links(server="https://github.com", public="https://pool.example", download_key=b"o" * 32)


@pytest.mark.parametrize(("what", "name"), [("patch", "c1.patch"), ("report", "c1.md")])
def test_the_address_ends_with_a_key_that_opens_it(what: What, name: str) -> None:
    page, key = url_of(LINKS, "c1", what).split("?key=")
    assert page == f"https://pool.example/chains/{name}"
    assert len(key) == 40
    assert may_have(LINKS, "c1", what, key)


def test_a_server_that_is_not_reached_from_outside_hands_out_nothing() -> None:
    assert url_of(PRIVATE, "c1", "patch") == ""
    assert not may_have(PRIVATE, "c1", "patch", key_of(PRIVATE, "c1", "patch"))


@pytest.mark.parametrize(
    ("links", "chain", "what"),
    [(LINKS, "c2", "patch"), (LINKS, "c1", "report"), (OTHER, "c1", "patch")],
    ids=["of another chain", "of another file", "of another server"],
)
def test_a_key_opens_nothing_else(links: Links, chain: str, what: What) -> None:
    assert not may_have(LINKS, "c1", "patch", key_of(links, chain, what))


@pytest.mark.parametrize("given", ["", "0" * 40, "é"], ids=["none", "a guess", "no hex digit"])
def test_a_guess_opens_nothing(given: str) -> None:
    assert not may_have(LINKS, "c1", "patch", given)
    assert not may_have(LINKS, "c1", "patch", key_of(LINKS, "c1", "patch")[:39] + given)
