from __future__ import annotations

import subprocess
import threading
from pathlib import Path

import pytest

from claude_pool_gh.worktrees import history


@pytest.fixture
def mirror(tmp_path: Path) -> tuple[Path, str]:
    """A bare repository with a file, a link and a binary in its only commit."""
    source = tmp_path / "source"
    script = (
        f"git init -q -b main {source} && cd {source} && mkdir d && echo text > d/a.txt && ln -s d/a.txt link && "
        "printf 'a\\0b' > binary && git add . && git -c user.name=x -c user.email=x@y commit -qm one && "
        f"git clone -q --bare . {tmp_path}/mirror.git && git rev-parse HEAD"
    )
    done = subprocess.run(["sh", "-c", script], check=True, capture_output=True, text=True)
    return tmp_path / "mirror.git", done.stdout.strip()


async def test_text_files_are_read_and_nothing_else_is(mirror: tuple[Path, str]) -> None:
    path, commit = mirror
    wanted = ["d/a.txt", "link", "binary", "d", "missing", "../mirror.git/config", "/etc/hostname"]
    assert await history.read_files(path, commit, wanted) == {"d/a.txt": "text\n"}


async def test_git_sees_nothing_of_the_servers_environment(
    mirror: tuple[Path, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-canary")
    path, commit = mirror
    seen: list[bool] = []
    done = threading.Event()

    def watch() -> None:
        while not done.is_set():
            for entry in Path("/proc").glob("[0-9]*"):
                try:
                    if (
                        b"cat-file" in (entry / "cmdline").read_bytes()
                        and (entry / "comm").read_text() == "git\n"
                    ):
                        seen.append(b"sk-ant-canary" in (entry / "environ").read_bytes())
                except OSError:
                    continue

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        while not seen:
            await history.read_files(path, commit, ["d/a.txt"])
    finally:
        done.set()
        watcher.join()
    assert not any(seen)


async def test_a_name_is_shown_as_an_agent_can_open_it(tmp_path: Path) -> None:
    script = (
        f"git init -q -b main {tmp_path} && cd {tmp_path} && git config user.name x && git config user.email x@y && "
        "git commit -q --allow-empty -m one && echo text > größe.py && git add . && git commit -qm two && "
        "git rev-parse HEAD~ HEAD"
    )
    done = subprocess.run(["sh", "-c", script], check=True, capture_output=True, text=True)
    old, new = done.stdout.split()
    shown = await history.diff(tmp_path / ".git", old, new)
    assert "+++ b/größe.py\n" in shown
