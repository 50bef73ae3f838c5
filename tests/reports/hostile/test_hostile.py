"""Whatever an agent writes, nothing of it comes alive in anything that we post."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from claude_pool_gh.commands.lines import command_lines
from claude_pool_gh.reports import changes, findings, replies, tables, tracking, words
from claude_pool_gh.reports import neutralize as neutralized
from claude_pool_gh.reports.neutralize import neutralize
from tests.reports.hostile.renderers import ALL, PLAIN, REPORTS, Shown
from tests.reports.judge import as_read, hidden, strange

OUTPUTS: dict[str, list[str]] = yaml.safe_load(
    (Path(__file__).parent / "outputs.yml").read_text("utf-8")
)
TEXTS = [text for some in OUTPUTS.values() for text in some]
MARK = re.compile(r"<!--\s*claude-pool:")


GUARDS = {
    "neutralize": (changes, findings, replies, tracking),
    "neutralize_line": (changes, findings, replies, tracking, words, tables),
    "code": (changes, replies, tracking, words, tables),
    "fence": (changes, findings),
    "summary": (findings,),
}


@pytest.fixture(scope="module", autouse=True)
def remembered() -> Iterator[None]:
    """Each guard is asked once about a text: it is pure, and dozens of renderers ask it the same."""
    with pytest.MonkeyPatch.context() as patch:
        for guard, modules in GUARDS.items():
            once = functools.cache(getattr(neutralized, guard))
            for module in modules:
                patch.setattr(module, guard, once)
        yield


def faults(shown: Shown, text: str) -> list[str]:
    """What is wrong with what is shown of a text."""
    out = shown.render(text)
    found = strange(out, shown.links, shown.headings)
    if "\n/pool" in f"\n{out}":  # else it has none, and needs not be read once more
        found += [f"a command of ours: {line}" for line in command_lines(out)]
    found += [f"hidden: {each!r}" for each in hidden(out)]
    return found + (["a mark of ours"] if MARK.search(out) else [])


def test_there_are_some_hundred_of_them_and_none_twice() -> None:
    assert len(set(TEXTS)) == len(TEXTS) >= 200
    assert len(set(OUTPUTS["commands of other bots"])) >= 40


@pytest.mark.parametrize("renderer", ALL)
def test_nothing_that_an_agent_writes_comes_alive(renderer: str) -> None:
    assert {text: found for text in TEXTS if (found := faults(ALL[renderer], text))} == {}


@pytest.mark.long
@pytest.mark.parametrize("renderer", ALL)
def test_one_after_the_other_they_do_not_wake_each_other(renderer: str) -> None:
    pairs = [f"{one}\n\n{other}" for one, other in zip(TEXTS, TEXTS[7:], strict=False)]
    assert {text: found for text in pairs[::3] if (found := faults(ALL[renderer], text))} == {}


@pytest.mark.parametrize(
    "kind", ["mentions", "closing keywords", "commands of other bots", "HTML", "folds", "tables"]
)
def test_what_is_left_of_it_can_still_be_read(kind: str) -> None:
    # what Markdown itself does not show, or not so
    hides = re.compile(r"&|\]:|\]\(|```|[\u200b\u2060]")
    for text in OUTPUTS[kind]:
        if not hides.search(text):
            shown = as_read(neutralize(text))
            assert [
                word for word in re.findall(r"[A-Za-z0-9]+", text) if word not in shown
            ] == [], text


def test_emoji_and_plain_markup_are_left_alone() -> None:
    for text in (
        ":tada: :+1:",
        "🎉 *yes* and **no**, `a | b`",
        "1 < 2 & 3",
        "- one\n- two",
        "> said",
        "```python\nx = 1\n```",
    ):
        assert as_read(neutralize(text)) == text


# ---- the judge, and what it would see


@pytest.mark.parametrize("kind", [kind for kind in OUTPUTS if kind not in ("tables", "folds")])
def test_the_judge_finds_life_in_most_of_them_as_they_are(kind: str) -> None:
    raw = Shown(lambda text: text)
    alive = [text for text in OUTPUTS[kind] if faults(raw, text)]
    assert len(alive) >= len(OUTPUTS[kind]) * 0.3, kind


def test_the_judge_allows_what_the_host_writes_and_nothing_like_it() -> None:
    host = "### x\n\n<details><summary>a <code>@b</code> &lt;c</summary>\n\n[x](u)\n\n</details>\n\n<sub>`a` · b</sub>"
    assert strange(host, ("u",), 1) == []
    assert strange(host, ("u",)) == ["a heading"]
    assert strange(host, (), 1) == ["a link to u"]
    for text in (
        "<details><summary>@mona</summary>\n\n</details>",
        "<details><summary>&#64;mona</summary>\n\n</details>",
        "<details><summary><b>x</b></summary>\n\n</details>",
        "</details>",
        "<details>\n",
        "<!-- x -->",
        "> /x",
        "<details open>\n\n</details>",
        "<sub class=x>a</sub>",
        "a <b>",
        "### a\n\n### b",
        "a\n</details>",
        "![](x)",
        "@mona",
        "/x",
    ):
        assert strange(text, (), 1), text


@pytest.mark.parametrize("guard", GUARDS)
def test_these_tests_would_see_it_if_a_guard_were_off(
    guard: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in GUARDS[guard]:
        monkeypatch.setattr(module, guard, lambda text, *_: text)
    few = ["@mona", "</details>", "<b>", "```\n# x\n@mona"]
    assert [name for name, shown in REPORTS.items() if any(faults(shown, text) for text in few)]


def test_every_renderer_is_a_guard_that_these_tests_would_miss() -> None:
    """Each is shown at least one text that would live without it."""
    for name, shown in PLAIN.items():
        assert any(shown.render(text) != text for text in TEXTS), name
    assert all(shown.render("@mona") for shown in ALL.values())
