"""The program: prints the sizes of the pictures at the given addresses."""

from __future__ import annotations

import asyncio
import sys

from thumbs.loader import Loader


async def fetch(address: str) -> bytes:
    """Read a picture through the local picture daemon."""
    reader, writer = await asyncio.open_unix_connection("/run/pictured.sock")
    try:
        writer.write(address.encode() + b"\n")
        await writer.drain()
        return await reader.read()
    finally:
        writer.close()
        await writer.wait_closed()


async def main(addresses: list[str]) -> None:
    loader = Loader(fetch)
    pictures = await asyncio.gather(*(loader.load(address) for address in addresses))
    for address, picture in zip(addresses, pictures):
        print(len(picture), address)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
