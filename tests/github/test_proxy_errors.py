"""A proxy that does not ask GitHub: told as that, without the login in its address."""

from __future__ import annotations

import aiohttp
import pytest

from claude_pool_gh.github.client import Client
from claude_pool_gh.github.errors import ForgeError, ForgeUnavailable, ProxyLogin
from claude_pool_gh.terms.network_errors import without_logins
from tests.proxies import refusing


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize(
    ("status", "meaning"), [(407, ProxyLogin), (502, ForgeUnavailable), (503, ForgeUnavailable)]
)
async def test_a_proxys_refusal_is_no_answer_of_github(
    scheme: str, status: int, meaning: type[ForgeError]
) -> None:
    async with refusing(status) as address, aiohttp.ClientSession(proxy=address) as session:
        with pytest.raises(meaning) as raised:
            await Client(session, f"{scheme}://api.invalid").getitem("/repos/octo/shop")
    assert type(raised.value) is meaning
    assert str(status) in str(raised.value)
    assert "canary" not in str(raised.value)


async def test_a_proxy_that_forbids_github_is_no_final_refusal() -> None:
    async with refusing(403) as address, aiohttp.ClientSession(proxy=address) as session:
        with pytest.raises(ForgeUnavailable):
            await Client(session, "https://api.invalid").getitem("/repos/octo/shop")


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("url='http://bot:p%40ss@10.0.0.1:80'", "url='http://10.0.0.1:80'"),
        (
            "https://x-access-token:abc@github.com/a/b.git and http://u@h",
            "https://github.com/a/b.git and http://h",
        ),
        ("http://bot:p@ss@proxy:80/x", "http://proxy:80/x"),
        ("https://github.com/a?mail=b@c", "https://github.com/a?mail=b@c"),
        ("see @octocat or a@b.c", "see @octocat or a@b.c"),
    ],
)
def test_an_address_loses_its_login_and_nothing_else(text: str, left: str) -> None:
    assert without_logins(text) == left
