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
SHOWN = "commands/shown.py"
INTAKE, STRANGERS = "github/intake.py", "conversation/strangers.py"
CHECKOUTS = "worktrees/checkouts/"
WALLS, SANDBOX = "sandbox/walls.py", "sandbox/sandbox.py"
REVIEW = "conversation/review/"
FACTS_OUTSIDE = """\
      {steps.brief.facts}

      The part of the diff that is yours to review, between the two lines {steps.brief.fence}:

      {steps.brief.fence}
"""
FACTS_INSIDE = """\
      The part of the diff that is yours to review, between the two lines {steps.brief.fence}:

      {steps.brief.fence}
      {steps.brief.facts}
"""

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
        "struck-out words are no command", SHOWN, 'frozenset({"b", "div",', 'frozenset({"b", "del", "div",',
        "tests/commands/test_corpus.py", "near",
    ),
    Guard(
        "what HTML is put around is no command", SHOWN, "elif not self.open and ", "elif ",
        "tests/commands/test_corpus.py", "near",
    ),
    Guard(
        "what the author's HTML holds is no command", SHOWN, " if each.number in written]", "]",
        "tests/commands/test_corpus.py", "near",
    ),
    Guard(
        "formulas are no commands", "commands/lines.py", "if each.number not in formulas", "if True",
        "tests/commands/test_corpus.py", "near",
    ),
    Guard(
        "quoted mail is no command", "commands/lines.py", "source = source[: own_lines(source)]", "pass",
        "tests/commands/test_mail.py", "does_not_approve",
    ),
    Guard(
        "a comment is read once", "commands/lines.py",
        "if each.number not in formulas", "if each.number not in _in_formulas(source)",
        "tests/commands/test_linear.py", "commands",
    ),
    Guard(
        "what the renderer allocates is freed", "terms/cmark.py", "_free_tree(_address(tree))", "pass",
        "tests/commands/test_linear.py", "kept",
    ),
    Guard(
        "another dash is no prose", "commands/grammar.py",
        "if (amid := re.search(", "if False and (amid := re.search(",
        "tests/commands/test_grammar.py", "neither_taken",
    ),
    Guard(
        "what is not shown is no command", "commands/grammar.py",
        "if any(_is_unseen(letter) for letter in line):", "if False:",
        "tests/commands/test_grammar.py", "does_not_show",
    ),
    Guard(
        "no verb by folding letters", "commands/grammar.py",
        "if word.text.isascii() and not word.quoted else None", "",
        "tests/commands/test_corpus.py", "near",
    ),
    Guard(
        "below other text a mail is no command", JUDGE, "if not request.leads and await", "if False and await",
        f"{ACCEPTANCE}commands.py", "by_mail",
    ),
    Guard(
        "the text of a review is heard", INTAKE, '    ("pull_request_review", "submitted"): _submitted,\n', "",
        f"{ACCEPTANCE}commands.py tests/github/test_intake.py", "text_of_a_review or decided_once",
    ),
    Guard(
        "an edited review is no command", "github/reads.py",
        "node if body_digest(body) == digest else None", "node",
        f"{ACCEPTANCE}commands.py", "edited",
    ),
    Guard(
        "what was closed opens again", "conversation/gazette.py",
        "findings.reopen_ignored(tx, thread_key(thread))", "pass",
        "tests/conversation/test_gazette.py", "open_again",
    ),
    Guard(
        "a check does not speak of a base that nobody read", "conversation/gazette.py",
        "self._doubt_review(tx, thread, head, base_ref)", "pass",
        "tests/conversation/test_gazette.py", "another_branch",
    ),
    Guard(
        "a merge queue is told of the present head", "conversation/gazette.py",
        "if told is not None and each.head == told.head), None)", "), None)",
        "tests/conversation/test_gazette.py", "merge_queue",
    ),
    Guard(
        "a head is not waited for", "service/bounds.py", "self._wait(self._connections.head_seconds)", "pass",
        "tests/service/test_bounds.py", "head_that_does_not_come",
    ),
    Guard(
        "who says nothing makes room", "service/bounds.py", "        waiting.drop()\n", "        return True\n",
        "tests/service/test_bounds.py", "flood",
    ),
    Guard(
        "no more connections than files", "service/bounds.py", "if len(self.open) < self.most:", "if True:",
        "tests/service/test_bounds.py", "flood",
    ),
    Guard(
        "bodies are bounded together", "service/bounds.py", "self.held + more > (", "False and (",
        "tests/service/test_bounds.py", "together",
    ),
    Guard(
        "twelve digits of a commit", "conversation/verbs/ok.py", "len(given) < replies.COMMIT_DIGITS", "len(given) < 7",
        f"{ACCEPTANCE}strangers.py", "nothing_is_spent",
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
        "no line of a job's log is a command in its elder form", "action/protocol.py",
        'line = re.sub("#(?=#)", "# ", line)', "pass", "tests/action/test_protocol.py", "others_have_worded",
    ),
    Guard(
        "no line of a job's log is a command", "action/protocol.py",
        'if line.startswith("::")', "if False", "tests/action/test_protocol.py", "others_have_worded",
    ),
    Guard(
        "a state of a newer version is not read", "action/state/image.py",
        "        if _is_newer(said):\n", "        if False:\n",
        "tests/action/test_kept.py", "newer_version",
    ),
    Guard(
        "no transcript is kept", "action/state/image.py",
        '"UPDATE tasks SET transcript = NULL, prompt = NULL, asked = NULL",', "",
        "tests/action/test_kept.py", "without_transcripts",
    ),
    Guard(
        "triggers only as configured", JUDGE,
        "not is_switched_on(request.source.kind, config)", "False",
        f"{ACCEPTANCE}triggers.py", "label or opened",
    ),
    Guard(
        "nothing is spent on outsiders", STRANGERS, "    return not await desk", "    return False and not await desk",
        f"{ACCEPTANCE}strangers.py", "nothing_is_spent or while_a_command",
    ),
    Guard(
        "not too often", STRANGERS, "    found = command_rows.rate(", "    return None\n    found = command_rows.rate(",
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
        "max(policy.approvals, policy.protected_approvals if touched else 1)",
        "policy.approvals",
        "tests/conversation/test_gates.py",
        "",
    ),
    Guard(
        "files that agents obey or tools run are protected", "conversation/gates.py",
        "for pattern in (*PROTECTED, *more)]", "for pattern in more]",
        "tests/conversation/test_gates.py", "protected",
    ),
    Guard(
        "checks of other work are not taken for this one's", "conversation/trial.py",
        'result.get("digest") == digest and', "True and",
        "tests/conversation/test_whereabouts.py", "exactly",
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
        "if found := secrets(added):",
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
    # an agent of one's own
    Guard(
        "a run of another type is no outcome", "pool/run/agent_run.py",
        "if not isinstance(given, AgentOutcome):", "if False:",
        "tests/pool/test_own_agent.py", "another_type",
    ),
    Guard(
        "a typed result has the form asked for", "pool/run/agent_run.py",
        "wrong = mismatch(outcome.structured, task.schema)", "wrong = None",
        "tests/pool/test_own_agent.py", "form_asked_for",
    ),
    Guard(
        "the pool keeps the time", "pool/run/agent_run.py",
        'extra = _OVERTIME_SECONDS if getattr(agent, "keeps_time", False) else 0.0', "extra = 600.0",
        "tests/pool/test_own_agent.py", "keeps_the_time",
    ),
    Guard(
        "nothing is repeated unasked", "pool/run/chain_factory.py",
        "retries = _first(run.overrides.retries, self.config.retries)", "retries = 1",
        "tests/pool/test_own_agent.py", "repeated_only",
    ),
    Guard(
        "a cap that is too small is refused at submit", "pool/run/chain_factory.py",
        "if cap < least:", "if False:",
        "tests/agent/test_models.py", "least_that_is_named",
    ),
    Guard(
        "an MCP server that did not start fails the run", "agent/outcome.py",
        "if why := _not_started(states, task):", "if why := False:",
        "tests/agent/test_mcp_missing.py", "does_not_start",
    ),
    # money
    Guard(
        "what a chain takes more of is there", "pool/store/ledger.py",
        "more = max(0, min(wanted - free, caps.chain - int(held.reserved), *room))",
        "more = max(0, min(wanted - free, caps.chain - int(held.reserved)))",
        "tests/pool/test_ledger.py tests/pool/test_ledger_machine.py", "",
    ),
    Guard(
        "a run never takes more than its chain has left", "pool/store/ledger.py",
        "granted = min(most, _extended_chain(tx, chain_id, least, now_ms))", "granted = most",
        "tests/pool/test_ledger.py tests/pool/test_ledger_machine.py", "",
    ),
    Guard(
        "a request never takes more than its run has left", "pool/store/ledger.py",
        "or left_in(tx, run_id) < amount", "or False",
        "tests/pool/test_ledger.py tests/pool/test_ledger_machine.py", "",
    ),
    Guard(
        "no cap is passed", "pool/store/cap_uses.py", "if use.left < amount:", "if False:",
        "tests/pool/test_ledger.py tests/pool/test_ledger_machine.py", "",
    ),
    Guard(
        "nothing of one run is there for the next", f"{CHECKOUTS}checkout.py",
        "odd = await self.odd(was)", "odd = set()",
        "tests/worktrees/test_checkouts.py", "nothing_of_one_run and ignored",
    ),
    Guard(
        "what was read counts only if nobody changed it", f"{CHECKOUTS}checkouts.py",
        "await self._prove(checkout)", "pass",
        "tests/worktrees/test_checkouts.py", "counts_only_if",
    ),
    Guard(
        "a checkout that was being changed is thrown away", f"{CHECKOUTS}sealed.py",
        "if (version, boot) == (_VERSION, boot_id()) else None", "",
        "tests/worktrees/test_checkouts.py", "another_start",
    ),
    Guard(
        "an agent changes nothing outside", "processes/launcher.py",
        "if writable is not None:", "if False:",
        "tests/agent/test_confined.py", "nothing_outside",
    ),
    Guard(
        "no clock before a repository's own", "service/settings.py",
        "repository's `wall_minutes`\"),\n    ] = None", "repository's `wall_minutes`\"),\n    ] = 100.0",
        "tests/config/test_used.py tests/service/test_settings.py", "wall_minutes or stands_before",
    ),
    Guard(
        "a misspelt cap", "service/settings.py", "faults = _unknown(os.environ)", "faults = []",
        "tests/service/test_settings.py", "misspelt",
    ),
    Guard(
        "only fields with a price", "agent/admission.py", "if name not in _FIELDS | LEFT_OUT)", "if False)",
        "tests/agent/test_admission.py", "cannot_be_priced",
    ),
    Guard(
        "only kinds of tool with a price", "agent/admission.py",
        'yield f"the tool `{str(kind)[:60]}`"', "pass",
        "tests/agent/test_admission.py", "cannot_be_priced",
    ),
    Guard(
        "only beta features with a price", "agent/admission.py", " if name in BETAS)", ")",
        "tests/agent/test_admission.py", "beta",
    ),
    Guard(
        "the price of an hour in the cache", "agent/prices.py", 'if load.cached == "1h":', "if False:",
        "tests/agent/test_counted.py", "ttl",
    ),
    Guard(
        "what fast mode and places multiply by", "agent/prices.py",
        'if usage.get("speed") not in (None, "", "standard"):', "if False:",
        "tests/agent/test_counted.py", "multiplier",
    ),
    Guard(
        "the same conversation, letter by letter", "agent/counted.py",
        'running.update(len(text).to_bytes(8, "big") + text)', 'running.update(b"message")',
        "tests/agent/test_counted.py", "another_conversation",
    ),
    Guard(
        "what was appended counts by its bytes", "agent/counted.py",
        "appended += of.weights[place - 1]", "appended += 0",
        "tests/agent/test_counted.py", "never_below or counted_before",
    ),
    Guard(
        "marks only where the API looks for them", "agent/counted.py",
        "own = _unmarked(block)", "own = json.loads(json.dumps(block), object_hook=_unmarked)",
        "tests/agent/test_counted.py", "mark_that_is_content",
    ),
    Guard(
        "a timeout is not repeated unasked", "agent/outcome.py",
        "return Ending.timed_out, facts.timed_out, not facts.started", "return Ending.timed_out, facts.timed_out, True",
        "tests/agent/test_outcomes.py", "stall",
    ),
    # who carries on
    Guard(
        "only the newest carrier writes", "pool/store/chains.py",
        "if row.generation != generation:", "if row.generation < 0:",
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
    # what agents are told, and what they can reach
    Guard(
        "guidance comes from the default branch", "conversation/guidance.py",
        "found = await history.read_files(mirror, branch, wanted(paths))",
        "found = await history.read_files(mirror, facts.head, wanted(paths))",
        f"{ACCEPTANCE}material.py", "under_a_line",
    ),
    Guard(
        "what a maintainer has hidden is not told", "github/discussion.py",
        "each for each in comments if each.node in known.shown", "each for each in comments",
        f"{ACCEPTANCE}material.py", "under_a_line",
    ),
    Guard(
        "others' words stand inside the fence", "conversation/material.py",
        "[self.head, self.fence, *inside, self.fence]", "[self.head, *inside, self.fence, self.fence]",
        "tests/conversation/test_talk.py", "fence_lines",
    ),
    Guard(
        "another workflow's words are not ours", "conversation/talk.py",
        "said.author.id == reader.own_id and _OURS in said.text", "said.author.id == reader.own_id",
        "tests/conversation/test_talk.py", "answer_of_ours",
    ),
    Guard(
        "a path is judged by where it leads", "agent/guard.py",
        "place, own = (folder / given).resolve(), folder.resolve()",
        "place, own = (folder / given).absolute(), folder.absolute()",
        "tests/agent/test_hostile_repository.py", "the_check_refuses",
    ),
    Guard(
        "git's own folder is not read through a link", "agent/guard.py",
        'return "belongs to git" if _is_git(place, folder) else ""', 'return ""',
        "tests/agent/test_hostile_repository.py", "the_check_refuses",
    ),
    Guard(
        "no glob overrides what searches leave out", "agent/guard.py",
        'if tool == "Grep" and set(beyond) <= {"*"} and', "if False and",
        "tests/agent/test_hostile_repository.py", "the_check_refuses",
    ),
    Guard(
        "what still acts when it is rendered is shown as code", "reports/neutralize.py",
        "return plainly() if acting(text) else SafeMarkdown(text)", "return SafeMarkdown(text)",
        "tests/reports/test_neutralize.py", "still_acts",
    ),
    Guard(
        "no code between more backticks than GitHub reads", "reports/neutralize.py",
        're.compile("`{17,}")', 're.compile("`{9999,}")',
        "tests/reports/test_neutralize.py", "long_runs",
    ),
    Guard(
        "no fence longer than GitHub counts", "reports/neutralize.py",
        're.compile("`{101,}")', 're.compile("`{9999,}")',
        "tests/reports/test_neutralize.py", "long_runs",
    ),
    Guard(
        "a bar parts no cells", "reports/neutralize.py",
        '"\\\\" * (2 - (len(found[1]) + 1) % 2)', '""',
        "tests/reports/test_neutralize.py", "parts_no_cells",
    ),
    Guard(
        "what nobody sees goes by its class", "reports/unseen.py",
        "    if kind in _INVISIBLE:", '    if kind == "Cc":',
        "tests/reports/test_unseen.py", "",
    ),
    Guard(
        "joiners go where they join nothing", "reports/unseen.py",
        "or _has_meaning(c, kept, following):", "or c in (_ZWJ, _ZWNJ, _EMOJI):",
        "tests/reports/test_unseen.py", "",
    ),
    Guard(
        "a random token is taken out of a post", "conversation/screen.py",
        "return harmless.reworded(veiled)", "return harmless",
        "tests/conversation/test_screen.py", "costs_that_token",
    ),
    # what a review says
    Guard(
        "green only where every claim is settled", f"{REVIEW}verdict.py",
        "    if open_:\n", "    if False:\n",
        "tests/conversation/test_verdict.py", "green_only",
    ),
    Guard(
        "fixed needs a judgement", f"{REVIEW}weigh.py",
        "found.unchecked.append((finding, answer.reason))", "found.fixed.append(finding)",
        "tests/conversation/test_review_steps.py", "fixed_only_where",
    ),
    Guard(
        "a verdict counts where the file was opened", f"{REVIEW}weigh.py",
        "if not opened(task, candidate):", "if False:",
        "tests/conversation/test_verdict.py", "opened_its_file",
    ),
    Guard(
        "a part counts as read where a file was opened", f"{REVIEW}verdict.py",
        'told.append(str(group["title"]))', "pass",
        "tests/conversation/test_verdict.py", "nobody_opened",
    ),
    Guard(
        "a dismissal hides the same code alone", "findings/identity.py",
        " or code_of(dismissed) != code_of(now):", ":",
        "tests/findings/test_identity.py", "hides_no_other_code",
    ),
    Guard(
        "a dismissal hides the same fault alone", "findings/identity.py",
        "return same_defect(dismissed, here) and (titled or alike)", "return same_defect(dismissed, here)",
        "tests/findings/test_identity.py", "at_the_same_place",
    ),
    Guard(
        "the same finding only in the same definition", "findings/identity.py",
        "return (before.within, before.nth) == (now.within, now.nth)", "return True",
        "tests/findings/test_identity.py", "no_other_line_ever_counts",
    ),
    Guard(
        "the host's facts stand outside the fence", "recipes/workflows/review.yml",
        FACTS_OUTSIDE, FACTS_INSIDE,
        "tests/recipes/test_recipes.py", "asked_in_words",
    ),
    Guard(
        "others' words are quoted among the host's facts", f"{REVIEW}host_facts.py",
        'return json.dumps(" ".join(visible_text(text, limit).split()), ensure_ascii=False)',
        "return visible_text(text, limit)",
        "tests/conversation/test_review_texts.py", "one_quoted_line",
    ),
    Guard(
        "less is read only under the same conditions", f"{REVIEW}memory.py",
        "if (last.merge_base, last.digest) != (against.merge_base, against.digest):", "if False:",
        "tests/conversation/test_review_steps.py", "less_is_read_only",
    ),
    Guard(
        "the second reader is not told the argument", f"{REVIEW}questions.py",
        "Scenario: {finding.scenario}", "Scenario: {finding.scenario} {finding.body}",
        "tests/conversation/test_review_texts.py", "not_the_argument",
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
        "asyncio.to_thread(use.is_passed,", "asyncio.to_thread(lambda *_: False,",
        "tests/sandbox/test_sandbox.py", "many_processes",
    ),
    Guard(
        "checks hide no memory", "sandbox/memory.py",
        "return own + added > 2 * self.most + SHARED_MEMORY and any(map(hides, processes))", "return False",
        "tests/sandbox/test_sandbox.py", "no_process_shows",
    ),
    Guard(
        "checks have no memory that is nobody's", "sandbox/filter.py", "323, 319, 68,", "323,",
        "tests/sandbox/test_sandbox.py tests/sandbox/test_walls.py", "needs_no_process or back_doors_are_shut",
    ),
    Guard(
        "checks have no large segments", "sandbox/filter.py", "_line(_AT_LEAST, SEGMENT + 1, 0, 1)",
        "_line(_AT_LEAST, 1 << 30, 0, 1)",
        "tests/sandbox/test_sandbox.py", "needs_no_process",
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
        "a cancel ends a check", "pool/run/chain_runner.py", "stop = asyncio.create_task(held.stop.wait())",
        "stop = asyncio.create_task(asyncio.sleep(99))",
        f"{ACCEPTANCE}checks.py", "cancel",
    ),
    # GitHub's side
    Guard(
        "chains of a repository that is gone end", "conversation/gazette.py",
        "        for chain_id in lookup.open_of(tx, REPOSITORY, ",
        "        return\n        for chain_id in lookup.open_of(tx, REPOSITORY, ",
        f"{ACCEPTANCE}github_side.py", "removed_ends or suspended",
    ),
    Guard(
        "nothing is written where nobody may", "github/effects/rows.py",
        "return sa.and_(_E.state == EffectState.wanted, _E.repository_id.in_(reached))", 'return _E.state == "wanted"',
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
        "proven(_unbidden(settled), acts", "proven(settled, acts",
        "tests/reports/test_neutralize.py", "bare_command",
    ),
    Guard(
        "missed comments are read", "conversation/catching_up.py",
        "for way in (self.deliveries, self.comments)", "for way in (self.deliveries,)",
        f"{ACCEPTANCE}github_side.py", "no_help",
    ),
    Guard(
        "without checks there is a status", "github/effects/check_run.py",
        "return lacking is not None and any", "return False and any",
        f"{ACCEPTANCE}github_side.py", "without_checks",
    ),
    Guard(
        "a refused press can be made again", CLERK,
        "if isinstance(request.source, Trigger) and request.source.check:", "if False:",
        f"{ACCEPTANCE}fix.py", "whoever_was_refused",
    ),
    Guard(
        "a step has its commits on another machine", "conversation/elsewhere.py",
        "await worktrees.fetch(facts.thread.repository.id, wanted, facts.refs)", "pass",
        "tests/worktrees/test_elsewhere.py", "fetched_here",
    ),
    Guard(
        "nobody dies of the watcher's absence", "pool/run/workers.py", "(beat, before[1] + blind)", "before",
        "tests/pool/test_chain_workers.py", "could_not_look",
    ),
    Guard(
        "a plan's old name is not used", "service/house.py",
        "under_present_name(database, with_commits(worktrees, step))", "with_commits(worktrees, step)",
        f"{ACCEPTANCE}github_side.py", "sees_under_the_new_name",
    ),
    Guard(
        "the name of another repository is not read", "github/overview.py",
        'if int(found["databaseId"]) != place.id:', "if False:",
        "tests/github/test_overview.py", "another_repository",
    ),
    Guard(
        "trusted files are all of one commit", "github/trusted.py",
        "at = self.commit or self.branch", "at = self.branch",
        "tests/github/test_overview.py", "seen_first",
    ),
    Guard(
        "a link is read where it leads", "github/trusted.py", 'return int(entry["mode"]) == _LINK', "return False",
        "tests/github/test_overview.py", "as_rest_tells_them",
    ),
    Guard(
        "a bot is not taken for a person of its name", "github/overview.py",
        'f"{login}[bot]" if kind == "Bot" and', 'f"{login}[bot]" if False and',
        "tests/github/test_overview.py", "as_rest_tells_it",
    ),
    Guard(
        "a configuration that is too large is not passed over", "conversation/setup.py",
        "if PATH in names:", "if False:",
        f"{ACCEPTANCE}reads.py", "too_large",
    ),
    Guard(
        "the eyes come before the plan", CLERK, "await self._take_up(heard)", "pass",
        f"{ACCEPTANCE}reads.py", "eyes_come",
    ),
    Guard(
        "no eyes stay where nothing came of it", CLERK, "endings.take_back_eyes(tx,", "(lambda *_: None)(tx,",
        f"{ACCEPTANCE}reads.py", "become_a_frown",
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
        "a reaction is replaced, not added to", "github/effects/reaction.py",
        "await self._delete(forge, making, {making.remote_id} - {made})", "pass",
        f"{ACCEPTANCE}endings.py", "by_a_reply_only",
    ),
    Guard(
        "a thread that GitHub cannot resolve is folded", "github/effects/settled.py",
        "making.tries < _RESOLVE_TRIES and await", "await",
        f"{ACCEPTANCE}findings.py", "named_by_its_first",
    ),
    # the operator's
    Guard(
        "state files are the owner's alone", "service/house.py",
        "os.umask(0o077)", "os.umask(0o022)",
        f"{ACCEPTANCE}operator.py", "owner_alone",
    ),
    Guard(
        "no password in a database's URL", "storage/database.py",
        "render_as_string(hide_password=True)", "render_as_string(hide_password=False)",
        "tests/service/test_doctor_rows.py", "not_migrated",
    ),
    Guard(
        "the key is parsed before the server listens", "service/serve.py",
        "        check_key(settings)\n    except", "        pass\n    except",
        "tests/service/test_secrets.py", "before_the_server_listens",
    ),
    # what GitHub answers, and what goes out
    Guard(
        "a refused push is read where git reports it", "worktrees/answers.py",
        "for kind, reason in _REJECTED.findall(out):", "for kind, reason in _REJECTED.findall(err):",
        "tests/worktrees/test_push.py", "refusal_is_final",
    ),
    Guard(
        "no conclusion before the commit stands", "reports/headline.py",
        'case Fate.pushed | Fate.proposed:\n            return "success"',
        'case Fate.pushed | Fate.proposed | Fate.writing:\n            return "success"',
        "tests/reports/test_headline.py", "not_let_out",
    ),
    Guard(
        "no branch that looks like an option", "terms/branches.py", 'if name.startswith("-"):', "if False:",
        "tests/worktrees/test_push.py", "branches_are_named or only_a_branch",
    ),
    Guard(
        "the role of this very user", "github/reads.py", "if id_ == actor.id:", "if id_:",
        "tests/github/test_answers.py", "clear_answer",
    ),
    Guard(
        "no role from an answer that is none", "github/reads.py",
        "    except Unreadable as error:", "    except ZeroDivisionError as error:",
        "tests/github/test_answers.py", "clear_answer",
    ),
    Guard(
        "no token to another server", "github/client.py",
        "if urlsplit(there)[:2] != urlsplit(url)[:2]:", "if False:",
        "tests/github/test_answers.py", "another_server",
    ),
    Guard(
        "an outage ends no step", "conversation/patience.py", "if passing is None:", "if True:",
        "tests/conversation/test_patience.py", "passes_ends",
    ),
    Guard(
        "no tree that can be read in two ways", "worktrees/mirror.py", "await trees.check(self.path, commit)", "pass",
        "tests/worktrees/test_old_faults.py", "two_ways",
    ),
    Guard(
        "no half packs are left", "worktrees/mirror.py",
        "            removed = self._remove_partial(began)\n",
        "            removed = 3_000_000\n            finished = True\n",
        "tests/worktrees/test_old_faults.py", "leaves_nothing",
    ),
    Guard(
        "no plain bytes in the place of a pointer", "worktrees/lfs.py",
        'if fields[i + 2] == b"lfs"', "if False", "tests/worktrees/test_lfs.py", "plain_bytes",
    ),
    Guard(
        "nothing in a commit's message acts", "conversation/messages.py",
        '.replace("@", "").replace("#", "")', "", "tests/conversation/test_messages.py", "acts",
    ),
    Guard(
        "a limit holds for what is wanted later", "github/effects/writer.py",
        "due = self._limited_until[row.repository.installation_id] = ", "due = ",
        "tests/github/test_writer.py", "waited_for",
    ),
    # what agents state
    Guard(
        "invented quotes are dropped", "findings/anchor.py",
        "else Dropped(finding.title, finding.path, found.reason)", "else finding",
        "tests/findings/test_quotes.py", "made_up",
    ),
    Guard(
        "a quote means something", "findings/quotes.py", "if not _means_something(quote):", "if False:",
        "tests/findings/test_quotes.py", "made_up",
    ),
    Guard(
        "deleted code is held against what it was", "findings/anchor.py",
        'found = _on_side(finding, "LEFT", base, renamed)', 'found = _on_side(finding, "LEFT", head, renamed)',
        "tests/findings/test_anchor.py", "deleted or removed",
    ),
    Guard(
        "comments stand in GitHub's own hunks", "findings/diffs.py",
        "GITHUB_CONTEXT: Final = 3", "GITHUB_CONTEXT: Final = 10",
        "tests/findings/test_changes.py", "github_shows",
    ),
    Guard(
        "a range lies in one hunk", "findings/spots.py",
        "max(min(finding.end_line, last), first)", "finding.end_line",
        "tests/findings/test_spots.py", "",
    ),
    Guard(
        "a suggestion leaves a file that can be read", "findings/suggestions.py",
        "return _parses(parser, texts[1])", "return True",
        "tests/findings/test_suggestions.py", "read_afterwards",
    ),
    Guard(
        "a suggestion states nothing twice", "findings/suggestions.py",
        "or _doubles(new, old, before, after)", "",
        "tests/findings/test_suggestions.py", "surely_fit",
    ),
    Guard(
        "a refused comment costs itself", "github/effects/review.py",
        "if error.status != 422 or not comments:", "if True:",
        "tests/github/test_reviews.py", "costs_itself",
    ),
    Guard(
        "a refused review is not posted twice", "github/effects/review.py", "if left is not None:", "if False:",
        "tests/github/test_reviews.py", "left_behind",
    ),
    Guard(
        "one odd file costs itself", "findings/changes.py",
        "unreadable.append((entry.path, str(error)))", "raise",
        "tests/findings/test_changes.py", "costs_only",
    ),
    Guard(
        "limits under another name are not passed over", "conversation/setup.py",
        "if file is None and (faults", "if False and (faults",
        f"{ACCEPTANCE}configuration.py", "without_files",
    ),
    Guard(
        "a pull request of which nothing is known is not green", "conversation/review/gather.py",
        "if (standing.doubtful or not standing.postable)", "if (not standing.postable)",
        "tests/conversation/test_review_steps.py", "says_nothing",
    ),
    Guard(
        "what an older server stored is not gone on with", "pool/store/continuation.py",
        "if chain.outcome is not None and chain.outcome.anew:", "if False:",
        "tests/pool/test_chain_failures.py", "going_on",
    ),
    # the dispatcher
    Guard(
        "pools leave each other's chains alone", "pool/store/queue.py",
        '_C.pool == sa.bindparam("of_pool"), ', "",
        "tests/pool/test_dispatcher.py", "leave_each_other",
    ),
    Guard(
        "every open pool is a worker of its own", "storage/owners.py",
        'return f"{own_id()}/{uuid4().hex[:8]}"', "return own_id()",
        "tests/pool/test_dispatcher.py", "leave_each_other",
    ),
    Guard(
        "a claim and its task are one step", "pool/run/dispatcher.py",
        "        async with self._claiming:\n            claim = await", "        if True:\n            claim = await",
        "tests/pool/test_dispatcher.py", "never_loses",
    ),
    Guard(
        "one process dispatches from a file", "pool/run/dispatch_lock.py",
        'if url.get_backend_name() != "sqlite"', "if True",
        "tests/pool/test_dispatcher.py", "second_process",
    ),
]  # fmt: skip


@pytest.mark.parametrize("guard", GUARDS, ids=lambda guard: guard.name.replace(" ", "-"))
def test_it_is_where_the_list_says(guard: Guard) -> None:
    """Else its control would be lost without anybody's notice until the long tests run."""
    assert guard.on in (ROOT / "claude_pool_gh" / guard.file).read_text()
    for file in guard.tests.split():
        assert (ROOT / file).exists()


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
    run = run_tests(tmp_path, tests, chosen, patience="90")
    assert run.returncode == 0, run.stdout[-2000:]


def copy_to(folder: Path) -> None:
    for part in PARTS:
        if (ROOT / part).is_dir():
            shutil.copytree(ROOT / part, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
        elif (ROOT / part).exists():
            shutil.copy2(ROOT / part, folder / part)


def run_tests(
    folder: Path, tests: str, chosen: str, patience: str = "15"
) -> subprocess.CompletedProcess[str]:
    """Run them in the copy; with a guard off they wait less long for what will not come."""
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
        # Its own: a test that moves the temporary folder would have it made there, and lose it with that.
        f"--basetemp={folder / 'basetemp'}",
        "-m",
        "not long",
    ]
    command += [*tests.split(), *(["-k", chosen] if chosen else [])]
    environment = os.environ | {"PYTHONPATH": str(folder), "TESTS_PATIENCE": patience}
    return subprocess.run(
        command, cwd=folder, env=environment, check=False, capture_output=True, text=True, timeout=300
    )
