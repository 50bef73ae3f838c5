"""Every Python snippet of README.md and docs/*.md runs as it stands there: real CLI, scripted model, no key."""

from __future__ import annotations

import asyncio
import re
import textwrap
from pathlib import Path
from typing import Final

import pytest

from tests import ours

HERE: Final = Path(__file__).parents[2]
PAGES: Final = [HERE / "README.md", *sorted((HERE / "docs").glob("*.md"))]
SNIPPETS: Final = [
    pytest.param(code, id=f"{page.name}-{number}")
    for page in PAGES
    for number, code in enumerate(re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL))
]


async def run(code: str, place: Path) -> tuple[int | None, str]:
    """Run a snippet as the body of a program, in a folder of its own, against the scripted model."""
    (place / "tree").mkdir()
    program = f"import asyncio\n\n\nasync def main():\n{textwrap.indent(code, '    ')}\n\nasyncio.run(main())\n"
    (place / "snippet.py").write_text(program)
    command = ours.cli("rehearse", str(place / "snippet.py"))
    environment = ours.environment(HOME=str(place))
    ran = await asyncio.create_subprocess_exec(
        *command,
        env=environment,
        cwd=place / "tree",
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    out, _ = await ran.communicate()
    return ran.returncode, out.decode()


@pytest.mark.parametrize("code", SNIPPETS)
async def test_a_snippet_runs_as_it_stands(code: str, tmp_path: Path) -> None:
    status, out = await run(code, tmp_path)
    assert status == 0, out
    assert "Traceback" not in out


async def test_a_snippet_that_raises_is_noticed(tmp_path: Path) -> None:
    code = 'from claude_pool_gh import ClaudeAgent, Pool\n\nPool.open(ClaudeAgent(), state="state").__aenter__()'
    code = code.replace("Pool.open", "await Pool.open")
    status, out = await run(code, tmp_path)
    assert status != 0
    assert "`state=True`" in out or "state=True" in out


def test_there_are_snippets() -> None:
    assert len(SNIPPETS) >= 4
