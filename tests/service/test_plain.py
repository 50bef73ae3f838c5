"""What commands print cannot drive a terminal, however it is printed, and is else left as it is."""

from __future__ import annotations

import io
import json
import time

import pytest
from rich.live import Live
from rich.markdown import Markdown
from rich.panel import Panel
from rich.text import Text

from claude_pool_gh.service.console import Console
from claude_pool_gh.service.doctor import doctor
from claude_pool_gh.service.doctor.diagnosis import Diagnosis
from claude_pool_gh.service.plain import echo, echo_json, plain
from claude_pool_gh.service.shell.pool_views import ListedChain, print_chains

EVIL = "a\x1b]0;title\x07\x9b2J\u202eb\r\u2028c"
HARMLESS = "prix\u00a0: 5 €\t全角\u3000文字\n\U0001f468\u200d\U0001f469 می\u200cروم"
ORDERS = {"\x1b", "\x07", "\x9b", "\u202e", "\r", "\u2028"}


def test_only_what_drives_a_terminal_is_replaced() -> None:
    assert plain(HARMLESS) == HARMLESS
    assert not ORDERS & set(plain(EVIL))
    assert plain(EVIL).startswith("a\ufffd]0;title\ufffd"), "it is told that there was something"


def test_json_loses_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    value = {"said": EVIL + HARMLESS, "tag": "\U000e0067", "half": "\ud83d"}
    echo_json(json.dumps(value, ensure_ascii=False, indent=2))
    printed = capsys.readouterr().out
    assert json.loads(printed) == value
    assert "prix\u00a0: 5 €" in printed, "people read it too"
    assert not ORDERS & set(printed)


@pytest.mark.parametrize(
    "shown", [EVIL, Text(EVIL), Panel(EVIL, title=EVIL), Markdown(f"`{EVIL}` [a](<{EVIL}>)")]
)
def test_a_console_shows_texts_as_they_are(shown: object) -> None:
    there = Console(file=io.StringIO(), force_terminal=True, color_system=None, width=70)
    there.print(shown)
    with Live(shown, console=there, transient=True):  # type: ignore[arg-type]  # each is one
        there.print(EVIL)
    assert isinstance(there.file, io.StringIO)
    said = there.file.getvalue()
    assert "\x1b]0" not in said
    assert not {"\x07", "\x9b", "\u202e", "\u2028"} & set(said)


def test_tables_and_findings_hold_what_others_wrote(capsys: pytest.CaptureFixture[str]) -> None:
    print_chains([_chain(reason=f"[/bold] {EVIL}")])
    told = (Diagnosis("GitHub App", f"[red]{EVIL}"), Diagnosis("model", EVIL, EVIL))
    assert doctor.print_findings(told) == 1
    echo(EVIL, err=True, bold=True)
    out, err = capsys.readouterr()
    assert "[/bold] a" in out, "no markup of ours"
    assert "GitHub App: [red]a" in out
    assert not ORDERS & set(out + err)


def _chain(reason: str) -> ListedChain:
    return ListedChain(
        chain_id="chain-1",
        workflow="look",
        state="failed",
        waits_for=None,
        step=None,
        finished_steps=0,
        total_steps=1,
        cost_microdollars=0,
        created_ms=int(time.time() * 1000),
        verdict="failed",
        reason=reason,
        next_command=None,
        state_dir=None,
    )
