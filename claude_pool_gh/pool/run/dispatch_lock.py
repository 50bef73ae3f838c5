"""One process at a time dispatches from a SQLite file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from claude_pool_gh.pool.model.errors import PoolError
from claude_pool_gh.storage import Database


class StoreTaken(PoolError):
    """Another process dispatches from the same file."""


@contextmanager
def dispatching_from(database: Database) -> Iterator[None]:
    """Around a pool's life. Raises StoreTaken where another process dispatches from the same file.

    The system lets the lock go with its process, however that ends. Pools of one process share it; whoever only reads
    or decides, such as an approval from a shell, needs none. Workers share PostgreSQL without a lock.
    """
    url = database.engine.url
    if url.get_backend_name() != "sqlite" or not url.database or url.database == ":memory:":
        yield
        return
    with dispatching_from_file(Path(url.database).resolve()):
        yield


@contextmanager
def dispatching_from_file(file: Path) -> Iterator[None]:
    """The same by the file's name, which need not exist."""
    from filelock import FileLock, Timeout  # noqa: PLC0415 - slow, and only a file needs it

    lock = FileLock(f"{file}.lock", timeout=0, mode=0o600, is_singleton=True, thread_local=False)
    try:
        lock.acquire()
    except Timeout:
        raise StoreTaken(
            f"another process runs tasks from {file}: stop that one, open the pool on another `state`, or keep the "
            "store in PostgreSQL, which several processes can share"
        ) from None
    try:
        yield
    finally:
        with suppress(OSError):
            lock.release()
