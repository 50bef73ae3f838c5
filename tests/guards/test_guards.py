"""Negative controls: every guard is switched off in a copy of the package, and a test that stands for it turns red."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PARTS = (
    "claude_pool_gh",
    "tests",
    "recipes",
    "examples",
    "pyproject.toml",
    "action.yml",
    "README.md",
    "docs",
)


@dataclass(frozen=True, slots=True)
class Guard:
    """A line of the package that keeps something out, what it is without that, and the tests that must then fail."""

    name: str
    file: str
    on: str
    off: str
    tests: str
    chosen: str


ACCEPTANCE = "tests/acceptance/test_"
JUDGE, CLERK = "conversation/judge.py", "conversation/clerk.py"
INTAKE, STRANGERS = "github/intake.py", "conversation/strangers.py"
WALLS, SANDBOX = "sandbox/walls.py", "sandbox/sandbox.py"

GUARDS = [
    # what comes in
    Guard(
        "the signature", "github/deliveries.py",
        "if not any([hmac.compare_digest(given[1], each) for each in made]):", "if False:",
        "tests/github/test_deliveries.py", "signature",
    ),
    Guard(
        "no memory of an old label", INTAKE,
        'f"{holder.number}:{name}:{holder.updated_at}"', 'f"{holder.number}:{name}"',
        f"{ACCEPTANCE}triggers.py", "label",
    ),
    Guard(
        "a delivery's id proves nothing", INTAKE,
        '"label", f"{holder.number}:{name}:{holder.updated_at}"', '"label", delivery.guid',
        f"{ACCEPTANCE}triggers.py", "label",
    ),
    Guard(
        "one press of a button by one person", INTAKE,
        "{run.id}:{run.completed_at}:{payload.sender.id}", "{run.id}:{run.completed_at}",
        f"{ACCEPTANCE}triggers.py", "button",
    ),
    Guard(
        "struck-out words are no command", "commands/lines.py", " and not struck:", ":",
        "tests/commands/test_corpus.py", "near",
    ),
    # who may
    Guard(
        "the role", JUDGE, "if role < needed and not await", "if False and not await",
        f"{ACCEPTANCE}commands.py", "stranger_is_refused or live_role",
    ),
    Guard(
        "the role of a thread's author", JUDGE,
        "if not verb.tells or chosen or role < Role.read:", "if True:",
        f"{ACCEPTANCE}strangers.py", "threads_author",
    ),
    Guard(
        "never its own voice", JUDGE,
        "if request.actor.id == await self.desk.forge.access.own_id(request.thread.repository):", "if False:",
        f"{ACCEPTANCE}strangers.py", "listed_by",
    ),
    Guard(
        "bots by number", JUDGE,
        "if not request.actor.is_human and request.actor.id not in config.bots:", "if False:",
        f"{ACCEPTANCE}strangers.py", "listed_by",
    ),
    Guard(
        "triggers only as configured", JUDGE,
        "not _is_switched_on(request.source.kind, config)", "False",
        f"{ACCEPTANCE}triggers.py", "label or opened",
    ),
    Guard(
        "nothing is spent on outsiders", STRANGERS, "    return not await desk", "    return False and not await desk",
        f"{ACCEPTANCE}strangers.py", "nothing_is_spent or while_a_command",
    ),
    Guard(
        "not too often", STRANGERS, "    since = _C.received_ms", "    return None\n    since = _C.received_ms",
        f"{ACCEPTANCE}strangers.py", "one_note",
    ),
    Guard(
        "one note for an hour, everywhere", JUDGE, "once, everywhere=True)", "once)",
        f"{ACCEPTANCE}strangers.py", "one_note",
    ),
    Guard(
        "a refusal is told again when it was granted", JUDGE, "await access.token(repository, fresh=True)", "pass",
        f"{ACCEPTANCE}github_side.py", "missing_permission",
    ),
    # what was approved
    Guard(
        "the approval binds the patch", "conversation/gates.py",
        "bound = [chain_id, step, rejections, head, merge_base, patch, plan]",
        "bound = [chain_id, step, rejections, head, merge_base, plan]",
        "tests/conversation/test_gates.py", "id",
    ),
    Guard(
        "the approval binds the configuration", "conversation/gates.py",
        'bound = {"config": config_blob, "steps": steps,', 'bound = {"steps": steps,',
        f"{ACCEPTANCE}fix.py tests/conversation/test_gates.py", "config or id",
    ),
    Guard(
        "four eyes",
        "conversation/gates.py",
        "if not (policy.four_eyes and each.actor_id == requester_id)]",
        "]",
        "tests/conversation/test_gates.py",
        "",
    ),
    Guard(
        "a second approver for protected paths",
        "conversation/gates.py",
        "max(policy.approvals, 2 if touched else 1)",
        "policy.approvals",
        "tests/conversation/test_gates.py",
        "",
    ),
    Guard(
        "no links and no submodules",
        "conversation/patches.py",
        "if mode := _MODE.search(patch):",
        "if mode := None:",
        "tests/conversation/test_patches.py",
        "",
    ),
    Guard(
        "no secrets in a patch",
        "conversation/patches.py",
        "if found := leaks(added):",
        "if found := ():",
        "tests/conversation/test_patches.py",
        "",
    ),
    Guard(
        "no key of ours in a patch",
        "conversation/patches.py",
        "if is_ours(added):",
        "if False:",
        "tests/conversation/test_patches.py",
        "",
    ),
    Guard(
        "no change hides in the second of the check-out",
        "worktrees/snapshot.py",
        "os.utime(path, ns=(self.written_ns, self.written_ns))",
        "pass",
        "tests/worktrees/test_snapshots.py",
        "hides_behind or keeps_its_time",
    ),
    # money
    Guard(
        "a run never takes more than its chain has left", "pool/ledger.py",
        "granted = min(most, left_in(tx, chain_id))", "granted = most",
        "tests/pool/test_ledger.py tests/pool/test_ledger_machine.py", "",
    ),
    Guard(
        "a request never takes more than its run has left", "pool/ledger.py",
        "or left_in(tx, run_id) < amount", "or False",
        "tests/pool/test_ledger.py tests/pool/test_ledger_machine.py", "",
    ),
    Guard(
        "no cap is passed", "pool/ledger.py", "if use.left < amount:", "if False:",
        "tests/pool/test_ledger.py tests/pool/test_ledger_machine.py", "",
    ),
    # who carries on
    Guard(
        "only the newest carrier writes", "pool/chains.py",
        ".scalar_one() != generation:", ".scalar_one() < 0:",
        "tests/pool/test_chain_durability.py tests/pool/test_chains.py", "",
    ),
    # what leaves
    Guard(
        "known secrets are taken out", "reports/redact.py",
        "text = text.replace(form, self._mark)", "pass",
        "tests/reports/test_redact.py", "",
    ),
    Guard(
        "what looks like a secret is taken out", "reports/redact.py",
        "return _PATTERNS.sub(_HIDDEN, text)", "return text",
        "tests/reports/test_redact.py", "",
    ),
    Guard(
        "a post that held a secret is withheld", "reports/redact.py",
        "form in each for form in (self._mark, *self._known) for each in texts", "False for each in texts",
        "tests/reports/test_redact.py tests/conversation/test_screen.py", "",
    ),
    # what runs of a repository's
    Guard(
        "no network for checks", WALLS, '"--unshare-all",', '"--unshare-all", "--share-net",',
        "tests/sandbox/test_walls.py", "network or sockets",
    ),
    Guard(
        "no files for checks", WALLS, '"/lib64")', '"/lib64", "/var")',
        "tests/sandbox/test_walls.py", "secrets or nothing_else",
    ),
    Guard(
        "no other families of sockets", "sandbox/filter.py",
        "_line(_RETURN, _FAIL | errno.EAFNOSUPPORT)", "_line(_RETURN, _ALLOW)",
        "tests/sandbox/test_walls.py", "families",
    ),
    Guard(
        "no back doors of the kernel", "sandbox/filter.py", "for number in known.refused:", "for number in ():",
        "tests/sandbox/test_walls.py", "back_doors_are_shut",
    ),
    Guard(
        "checks die with their launcher", WALLS, '"--die-with-parent", ', "",
        "tests/sandbox/test_sandbox.py", "kills_the_launcher",
    ),
    Guard(
        "checks end at whatever moment", "sandbox/process.py", "process.terminate()", "process.kill()",
        "tests/sandbox/test_sandbox.py", "whatever_moment_it",
    ),
    Guard(
        "checks do not fork for ever", SANDBOX, '"RLIMIT_NPROC": ', '"RLIMIT_NPROC": 100_000 + ',
        "tests/sandbox/test_sandbox.py", "fork_for_ever",
    ),
    Guard(
        "checks do not take all memory", "sandbox/process.py",
        "await asyncio.to_thread(_memory, process.pid) <= most", "await asyncio.to_thread(_memory, process.pid) >= 0",
        "tests/sandbox/test_sandbox.py", "many_processes",
    ),
    Guard(
        "checks do not print for ever", "sandbox/process.py", "return self.seen > self.most", "return False",
        "tests/sandbox/test_sandbox.py", "flood",
    ),
    Guard(
        "checks end in time", "sandbox/process.py", "async with asyncio.timeout(seconds):",
        "async with asyncio.timeout(None):",
        "tests/sandbox/test_sandbox.py", "time_ends",
    ),
    Guard(
        "the files of checks have an end", WALLS, '"--size", str(disk), "--perms"', '"--perms"',
        "tests/sandbox/test_sandbox.py", "files_have_an_end",
    ),
    *[
        Guard(
            "checks are not root", SANDBOX, '"user": _NOBODY if root else 0', '"user": 0',
            "tests/sandbox/test_sandbox.py", "takes_of_the_host",
        )
        for _ in range(os.getuid() == 0)  # nobody else has rights to give up
    ],
    Guard(
        "walls are proven first", "conversation/checks.py",
        "if fault := await desk.sandbox.fault():", 'if fault := "":',
        f"{ACCEPTANCE}checks.py", "cannot_wall",
    ),
    Guard(
        "nothing of a fork's is run", "conversation/checks.py", "if facts.fork:", "if False:",
        f"{ACCEPTANCE}checks.py", "forks",
    ),
    Guard(
        "only the difference is the change's fault", "conversation/checks.py",
        "CheckEnd.failed if before is not None and before.well", "CheckEnd.failed if True",
        "tests/conversation/test_checks.py", "",
    ),
    Guard(
        "attributes hide nothing from checks", "worktrees/mirror.py", " -export-ignore -export-subst", "",
        "tests/worktrees/test_leases.py", "archive",
    ),
    Guard(
        "a cancel ends a check", "pool/runner.py", "stop = asyncio.create_task(held.stop.wait())",
        "stop = asyncio.create_task(asyncio.sleep(99))",
        f"{ACCEPTANCE}checks.py", "cancel",
    ),
    # GitHub's side
    Guard(
        "chains of a repository that is gone end", "conversation/gazette.py",
        "        wanted = [str(each) for each in repository_ids]\n",
        "        return\n        wanted = [str(each) for each in repository_ids]\n",
        f"{ACCEPTANCE}github_side.py", "removed_ends or suspended",
    ),
    Guard(
        "nothing is written where nobody may", "github/effects/rows.py",
        'return sa.and_(_E.state == "wanted", _E.repository_id.in_(reached))', 'return _E.state == "wanted"',
        f"{ACCEPTANCE}github_side.py", "suspended",
    ),
    Guard(
        "a repository that changed hands has another token", "github/access.py",
        "key = (repository.id, repository.installation_id)", "key = (repository.id, 0)",
        f"{ACCEPTANCE}github_side.py", "transferred",
    ),
    Guard(
        "missed deliveries are asked for", "conversation/catching_up.py",
        "for way in (self.deliveries, self.comments)", "for way in (self.comments,)",
        f"{ACCEPTANCE}github_side.py", "was_down",
    ),
    Guard(
        "other bots are not commanded by us", "reports/neutralize.py",
        "(?:bors|homu|recheck|reverify|retest)", "(?:nobody)",
        "tests/reports/test_neutralize.py", "",
    ),
    Guard(
        "missed comments are read", "conversation/catching_up.py",
        "for way in (self.deliveries, self.comments)", "for way in (self.deliveries,)",
        f"{ACCEPTANCE}github_side.py", "no_help",
    ),
    Guard(
        "without checks there is a status", "github/effects/acts.py",
        "return lacking is not None and any", "return False and any",
        f"{ACCEPTANCE}github_side.py", "without_checks",
    ),
    Guard(
        "a refused press can be made again", CLERK,
        "if isinstance(request.source, Trigger) and request.source.check:", "if False:",
        f"{ACCEPTANCE}fix.py", "whoever_was_refused",
    ),
    Guard(
        "a plan's old name is not used", "service/house.py", "under_present_name(database, step)", "step",
        f"{ACCEPTANCE}github_side.py", "sees_under_the_new_name",
    ),
    Guard(
        "a review and a mention are not both posted", "conversation/endings.py",
        'if any(fate is not None and fate.state != "refused" for fate in posted):', "if False:",
        f"{ACCEPTANCE}endings.py", "by_a_reply_only",
    ),
    Guard(
        "nobody is mentioned who does not want it", "conversation/endings.py",
        "if people and end.facts.notify and _is_needed(", "if people and _is_needed(",
        f"{ACCEPTANCE}endings.py", "switched_off",
    ),
    Guard(
        "a reaction is replaced, not added to", "github/effects/reactions.py",
        "await _delete(forge, row, reaction, {row.remote_id} - {made})", "pass",
        f"{ACCEPTANCE}endings.py", "by_a_reply_only",
    ),
    Guard(
        "a thread that GitHub cannot resolve is folded", "github/effects/acts.py",
        "row.tries < _RESOLVE_TRIES and await", "await",
        f"{ACCEPTANCE}findings.py", "named_by_its_first",
    ),
]  # fmt: skip


@pytest.mark.long
@pytest.mark.parametrize("guard", GUARDS, ids=lambda guard: guard.name.replace(" ", "-"))
def test_without_it_a_test_turns_red(guard: Guard, tmp_path: Path) -> None:
    copy_to(tmp_path)
    file = tmp_path / "claude_pool_gh" / guard.file
    before = file.read_text()
    assert before.count(guard.on) >= 1, f"{guard.file} does not hold this guard any more: name it anew"
    file.write_text(before.replace(guard.on, guard.off))
    run = run_tests(tmp_path, guard.tests, guard.chosen)
    assert run.returncode == 1, f"no test missed it:\n{run.stdout[-2000:]}\n{run.stderr[-500:]}"
    assert " error" not in run.stdout.splitlines()[-1], run.stdout[-2000:]


@pytest.mark.long
@pytest.mark.parametrize(("tests", "chosen"), sorted({(guard.tests, guard.chosen) for guard in GUARDS}))
def test_with_all_of_them_the_same_tests_are_green(tests: str, chosen: str, tmp_path: Path) -> None:
    """The control of the controls: it is the guard that was missed, and nothing else that the copy lacks."""
    copy_to(tmp_path)
    run = run_tests(tmp_path, tests, chosen)
    assert run.returncode == 0, run.stdout[-2000:]


def copy_to(folder: Path) -> None:
    for part in PARTS:
        if (ROOT / part).is_dir():
            shutil.copytree(ROOT / part, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
        elif (ROOT / part).exists():
            shutil.copy2(ROOT / part, folder / part)


def run_tests(folder: Path, tests: str, chosen: str) -> subprocess.CompletedProcess[str]:
    """Run them in the copy, which waits less long than a slow machine may need, for what will not come."""
    world = folder / "tests" / "acceptance" / "world.py"
    patient = world.read_text()
    world.write_text(patient.replace("LONG = 60.0", "LONG = 15.0").replace("float = 30.0", "float = 12.0"))
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-x",
        "-n",
        "0",
        "-p",
        "no:cacheprovider",
        "-m",
        "not long",
    ]
    command += [*tests.split(), *(["-k", chosen] if chosen else [])]
    environment = os.environ | {"PYTHONPATH": str(folder)}
    return subprocess.run(
        command, cwd=folder, env=environment, check=False, capture_output=True, text=True, timeout=300
    )
