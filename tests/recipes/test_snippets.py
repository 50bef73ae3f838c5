"""Every Python snippet of README.md and the documentation runs as it stands there: real CLI, scripted model, no key."""

from __future__ import annotations

import asyncio
import re
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from tests import ours
from tests.rotation import share

HERE: Final = Path(__file__).parents[2]
PAGES: Final = [HERE / "README.md", *sorted((HERE / "docs").rglob("*.md"))]
SNIPPETS: Final = {
    f"{page.parent.name}-{page.stem}-{number}": code
    for page in PAGES
    for number, code in enumerate(re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL))
}
RAISES: Final = """\
from claude_pool_gh import ClaudeAgent, Pool

await Pool.open(ClaudeAgent(), state="state").__aenter__()
"""
PROGRAM: Final = """\
import asyncio
import os
import traceback


async def main():
    for name, snippet in SNIPPETS.items():
        os.makedirs(name)
        os.chdir(name)
        try:
            await snippet()
        except Exception:
            print(name, "fails:", traceback.format_exc().replace("\\n", " "))
        else:
            print(name, "runs")
        os.chdir("..")


asyncio.run(main())
"""


async def run(snippets: Mapping[str, str], place: Path) -> tuple[int | None, str]:
    """Run each snippet as the body of a function, in a folder of its own, against the scripted model.

    One program has them all: starting it costs more than most of them do.
    """
    (place / "trees").mkdir()
    functions = [
        f"async def snippet_{number}():\n{textwrap.indent(code, '    ')}\n"
        for number, code in enumerate(snippets.values())
    ]
    named = ", ".join(f"{name!r}: snippet_{number}" for number, name in enumerate(snippets))
    program = "\n".join([*functions, f"SNIPPETS = {{{named}}}", PROGRAM])
    (place / "snippets.py").write_text(program)
    ran = await asyncio.create_subprocess_exec(
        *ours.cli("rehearse", str(place / "snippets.py")),
        env=ours.environment(HOME=str(place)),
        cwd=place / "trees",
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    out, _ = await ran.communicate()
    return ran.returncode, out.decode()


async def test_each_snippet_runs_as_it_stands_and_one_that_raises_is_noticed(
    tmp_path: Path,
) -> None:
    assert len(SNIPPETS) >= 4
    some = dict(share(list(SNIPPETS.items()), 2))
    status, out = await run({**some, "raises": RAISES}, tmp_path)
    assert status == 0, out
    lines = out.splitlines()
    assert [name for name in some if f"{name} runs" not in lines] == [], out
    fails = [line for line in lines if "Traceback" in line]
    assert [line.split()[:2] for line in fails] == [["raises", "fails:"]], out
    assert "state=True" in fails[0]
