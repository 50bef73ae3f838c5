import asyncio

from thumbs.loader import Loader


class Source:
    def __init__(self):
        self.calls = []

    async def fetch(self, address):
        self.calls.append(address)
        await asyncio.sleep(0)
        return address.encode()


def test_same_address_is_fetched_once():
    async def run():
        source = Source()
        loader = Loader(source.fetch)
        assert await asyncio.gather(*(loader.load("a") for _ in range(5))) == [b"a"] * 5
        assert source.calls == ["a"]

    asyncio.run(run())


def test_forgets_the_oldest():
    async def run():
        source = Source()
        loader = Loader(source.fetch, keep=1)
        for address in "aba":
            await loader.load(address)
        assert source.calls == ["a", "b", "a"]

    asyncio.run(run())
