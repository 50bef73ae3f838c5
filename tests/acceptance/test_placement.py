"""Where findings stand on GitHub, and that none is lost on the way there."""

from __future__ import annotations

from pathlib import Path

import pytest

from claude_pool_gh.rehearsal.reviewer import Planted
from tests.acceptance.colleague import Colleague
from tests.acceptance.world import World, world

CALC = "".join(f"def f{i}(x):\n    return x + {i}\n\n" for i in range(1, 31))
OWN = "def get(user, id):\n    check_owner(user)\n    return id\n"
BASE: dict[str, str | None] = {
    "app/calc.py": CALC,
    "app/own.py": OWN,
    "app/gone.py": "def gone():\n    return 1\n",
    "app/uses.py": "from app.gone import gone\nprint(gone())\n",
    "shop.gen.py": "old = 1\n",
    "app/[id]/page.py": "aa = 1\n",
    ".github/claude-pool.yml": "review: {exclude: ['**/*.gen.py', 'nowhere/**']}\n",
}
HEAD: dict[str, str | None] = {
    "app/calc.py": CALC.replace("return x + 15\n", "return x / 0\n"),  # line 44
    "app/own.py": OWN.replace("    check_owner(user)\n", ""),
    "app/gone.py": None,
    "shop.gen.py": "new = 1\n",
    "docs/Über uns.md": "Hello\n",
    "plan b/notes.md": "Hello\n",
    "app/[id]/page.py": "aa = 2\n",
}


def claim(
    path: str, line: int, evidence: str, title: str, shown: str = "", **more: object
) -> Planted:
    stated = {
        "path": path,
        "start_line": line,
        "end_line": line + evidence.count("\n"),
        "severity": "high",
        "category": "correctness",
        "title": title,
        "body": "Because.",
        "scenario": "f(1) -> wrong",
        "evidence": evidence,
        "confidence": 0.95,
    }
    return Planted(stated | more, shown=shown)


ZERO = claim(
    "app/calc.py", 44, "    return x / 0", "f15 divides by zero", suggestion="    return x + 15"
)
NEAR = claim("app/calc.py", 38, "    return x + 13", "f13 disagrees", suggestion="    return x")
FAR = claim("app/calc.py", 2, "    return x + 1", "f1 is wrong")
GONE = claim(
    "app/gone.py", 1, "def gone():\n    return 1", "gone is still used", "-def gone", side="LEFT"
)
FORM = claim("/tmp/lease/app/[id]/page.py:1", 1, "1\taa = 2", "aa is two", "+aa = 2")
CHECK = claim("app/own.py", 9, "    check_the_owner(user)", "The owner check is gone")
CORRECTED = {"start_line": 2, "end_line": 2, "evidence": "    check_owner(user)", "side": "LEFT"}
LOST = claim("app/own.py", 9, "    return nothing_here", "Made up")


async def reviewed(here: World, script: Colleague) -> None:
    here.model.script = script
    await here.say("/pool review")
    await here.reviewed(timeout=150)
    await here.written()


async def test_every_finding_stands_where_github_takes_it_or_in_the_reviews_text(
    tmp_path: Path,
) -> None:
    planted = [
        ZERO,
        NEAR,
        FAR,
        GONE,
        FORM,
        Planted(CHECK.finding, restated={**CHECK.finding, **CORRECTED}),
        LOST,
    ]
    async with world(tmp_path, base=BASE, head=HEAD) as here:
        script = Colleague(planted=planted)
        await reviewed(here, script)
        [review] = here.reviews
        places = {
            (c.path, c.side, c.line, c.body.split("**")[1], "suggestion" in c.body)
            for c in review.comments
        }
        assert places == {
            ("app/calc.py", "RIGHT", 44, "f15 divides by zero", True),
            ("app/calc.py", "RIGHT", 41, "f13 disagrees", False),
            ("app/own.py", "LEFT", 2, "The owner check is gone", False),
            ("app/gone.py", "LEFT", 2, "gone is still used", False),
            ("app/[id]/page.py", "RIGHT", 1, "aa is two", False),
        }
        [near] = [c for c in review.comments if "f13 disagrees" in c.body]
        assert (
            f"This is about [`app/calc.py:38`]({here.github.url}/octo/shop/blob/" in near.body
            or "#L38)" in near.body
        )
        assert "6 findings" in review.body
        assert "1 outside the diff" in review.body
        assert "f1 is wrong" in review.body
        assert "reply with" not in review.body
        asked = script.asked("restate-finding")
        assert len(asked) == 1
        assert "It cannot be placed because its evidence is not in the file" in asked[0].text
        assert "Made up" in here.tracking
        read = "".join(each.text for each in script.seen)
        assert "new = 1" not in read
        assert "+Hello" in read  # a name with a blank and an umlaut


@pytest.mark.long
async def test_a_path_is_literal_first_and_one_that_names_nothing_is_said(tmp_path: Path) -> None:
    async with world(tmp_path, base=BASE, head=HEAD) as here:
        here.model.script = script = Colleague()
        await here.say("/pool review app/[id]/page.py ./plan nowhere.py")
        await here.reviewed(timeout=150)
        await here.written()
        found = "".join(each.text for each in script.seen)
        assert "+aa = 2" in found
        assert "return x / 0" not in found
        assert not script.asked("restate-finding")
        assert "nowhere.py" in here.tracking
