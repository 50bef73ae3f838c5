"""The closed list of what audits report: the ids never change, and no model makes one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from claude_pool_gh.findings.model import Category
from claude_pool_gh.terms.severity import Severity

_C, _S = Category, Severity


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A kind of finding: the id is of a closed list and never changes."""

    id: str
    """`audit/category`, as in `security/injection`."""
    name: str
    """For people, in a few words."""
    summary: str
    """One sentence."""
    help: str
    """What it means and what to do, in Markdown of our own making."""
    category: Category
    severity: Severity
    """What it is where the finder says nothing."""
    is_security: bool = False


def _rule(
    id_: str, name: str, summary: str, do: str, category: Category, severity: Severity
) -> Rule:
    return Rule(
        id=id_,
        name=name,
        summary=summary,
        help=f"{summary}\n\n{do}",
        category=category,
        severity=severity,
        is_security=id_.startswith("security/"),
    )


_DEFECTS: Final = (
    _rule(
        "defects/wrong-result",
        "Wrong result",
        "Code gives a wrong result for an input that it accepts.",
        "Walk the scenario through the code and correct the place where the value first goes wrong.",
        _C.correctness,
        _S.high,
    ),
    _rule(
        "defects/crash",
        "Crash",
        "Code fails on an input or in a state that it should handle.",
        "Handle the case, or refuse it where it enters.",
        _C.correctness,
        _S.high,
    ),
    _rule(
        "defects/data-loss",
        "Lost or corrupted data",
        "Data is lost, overwritten or stored wrongly.",
        "Make the write whole or not at all, and check data that is stored already.",
        _C.data_loss,
        _S.critical,
    ),
    _rule(
        "defects/concurrency",
        "Race or deadlock",
        "Two runs of the code at the same time break it.",
        "Guard the shared state, or make the step atomic.",
        _C.concurrency,
        _S.high,
    ),
    _rule(
        "defects/resource",
        "Leaked resource",
        "A handle, connection, lock or memory is never released.",
        "Release it on every way out.",
        _C.performance,
        _S.medium,
    ),
    _rule(
        "defects/error-handling",
        "Error hidden or mishandled",
        "A failure is swallowed, misreported, or leaves a half-done state.",
        "Let the failure be seen, and undo or finish what was begun.",
        _C.correctness,
        _S.medium,
    ),
    _rule(
        "defects/contract",
        "Broken contract",
        "Two places disagree about a type, format, default or order.",
        "Make both sides follow one definition.",
        _C.compatibility,
        _S.high,
    ),
    _rule(
        "defects/performance",
        "Cost grows too fast",
        "Work or memory grows with input where it need not.",
        "Do it once for the batch, in pages, or with an index.",
        _C.performance,
        _S.medium,
    ),
)

_SECURITY: Final = (
    _rule(
        "security/injection",
        "Injection",
        "Input reaches a query, shell, template or interpreter as code.",
        "Pass it as data: parameters, argument lists, escaping at the border.",
        _C.security,
        _S.critical,
    ),
    _rule(
        "security/path",
        "Path traversal",
        "Input chooses a file outside the place that is meant.",
        "Resolve the path and hold it against the folder that is allowed, links included.",
        _C.security,
        _S.high,
    ),
    _rule(
        "security/access-control",
        "Missing access control",
        "An action or record is open to people who should not have it.",
        "Check the caller's right at the act, on the server.",
        _C.security,
        _S.critical,
    ),
    _rule(
        "security/authentication",
        "Weak authentication",
        "A caller can pass for somebody else.",
        "Verify the proof of identity before anything is done with it.",
        _C.security,
        _S.critical,
    ),
    _rule(
        "security/secret",
        "Secret in the open",
        "A key, token or password stands in code, logs or answers.",
        "Revoke it, keep it outside the repository, and keep it out of what is printed.",
        _C.security,
        _S.high,
    ),
    _rule(
        "security/cryptography",
        "Misused cryptography",
        "A cipher, hash, nonce or comparison is used in a way that breaks it.",
        "Use the library's own safe construction.",
        _C.security,
        _S.high,
    ),
    _rule(
        "security/deserialization",
        "Unsafe deserialization",
        "Input is turned into objects that can run code.",
        "Use a format without code, and a fixed set of types.",
        _C.security,
        _S.critical,
    ),
    _rule(
        "security/request-forgery",
        "Forged request",
        "The server, or a user's browser, can be made to send a request of the attacker's choice.",
        "Hold addresses against a list; ask for a token that only the own page knows.",
        _C.security,
        _S.high,
    ),
    _rule(
        "security/exposure",
        "Exposed data",
        "Personal or internal data reaches somebody who should not see it.",
        "Send and store only what is needed.",
        _C.security,
        _S.medium,
    ),
    _rule(
        "security/exhaustion",
        "Resource exhaustion",
        "A small input from outside takes the service down.",
        "Bound the size, number and time of what is accepted.",
        _C.security,
        _S.medium,
    ),
)

_TESTS: Final = (
    _rule(
        "tests/cannot-fail",
        "Test that cannot fail",
        "A test passes whatever the code does.",
        "Assert the value, and see the test fail once.",
        _C.correctness,
        _S.medium,
    ),
    _rule(
        "tests/wrong-expectation",
        "Test of a wrong result",
        "A test demands what the code should not do.",
        "Correct the expectation, and then the code.",
        _C.correctness,
        _S.high,
    ),
    _rule(
        "tests/missing",
        "Behaviour without a test",
        "A branch that can do harm is not run by any test.",
        "Add a test with the input that reaches it.",
        _C.correctness,
        _S.medium,
    ),
    _rule(
        "tests/unstable",
        "Unstable test",
        "A test depends on time, order, network or another test.",
        "Give it a state of its own, and wait for what it needs.",
        _C.concurrency,
        _S.medium,
    ),
    _rule(
        "tests/never-run",
        "Test that never runs",
        "A test is skipped, not collected or shadowed.",
        "Make it run, or remove it.",
        _C.correctness,
        _S.medium,
    ),
)

_DOCS: Final = (
    _rule(
        "docs/wrong",
        "Documentation that is wrong",
        "A text says what the code does not do.",
        "Correct whichever of the two is wrong.",
        _C.correctness,
        _S.medium,
    ),
    _rule(
        "docs/example",
        "Example that does not work",
        "A command or snippet fails, or does something else, when followed.",
        "Correct it, and run it in a test.",
        _C.correctness,
        _S.medium,
    ),
    _rule(
        "docs/gone",
        "Reference to what is gone",
        "A text names a file, option or function that there is not.",
        "Name what took its place.",
        _C.compatibility,
        _S.low,
    ),
    _rule(
        "docs/missing",
        "Undocumented contract",
        "A caller must know something that no text says.",
        "Say it where the caller looks.",
        _C.compatibility,
        _S.low,
    ),
)

_DEAD_CODE: Final = (
    _rule(
        "dead-code/unused",
        "Unused definition",
        "Nothing in the repository uses a function, class, setting or file.",
        "Remove it, with its tests.",
        _C.correctness,
        _S.low,
    ),
    _rule(
        "dead-code/unreachable",
        "Unreachable code",
        "No input or state leads to a branch.",
        "Remove it, or fix the condition that hides it.",
        _C.correctness,
        _S.low,
    ),
    _rule(
        "dead-code/stale",
        "Stale switch or shim",
        "A flag, fallback or compatibility layer serves what is gone.",
        "Remove it together with what it chose between.",
        _C.compatibility,
        _S.low,
    ),
    _rule(
        "dead-code/duplicate",
        "Second copy",
        "The same work is done in two places that must agree.",
        "Keep one, and call it from the other.",
        _C.correctness,
        _S.low,
    ),
)

KINDS: Final[Mapping[str, tuple[Rule, ...]]] = {
    "defects": _DEFECTS,
    "security": _SECURITY,
    "tests": _TESTS,
    "docs": _DOCS,
    "dead-code": _DEAD_CODE,
}
"""The packaged audits, and what each reports."""

RULES: Final[Mapping[str, Rule]] = {rule.id: rule for rules in KINDS.values() for rule in rules}
"""Every rule by its id."""
