"""A gate: where a chain waits for a person, what exactly that person approves, and how many of them are needed."""

from __future__ import annotations

import hashlib
import json
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field

from claude_pool_gh.config.owners import Rule, owners_of
from claude_pool_gh.conversation.changes.protected_paths import PROTECTED
from claude_pool_gh.github.decisions import Approval
from claude_pool_gh.pool.model.plan import Plan
from claude_pool_gh.pool.model.ports import CapturedChange
from claude_pool_gh.pool.model.states import StepState
from claude_pool_gh.pool.store import tasks
from claude_pool_gh.pool.store.chains import FINISHED, ChainRow, StepRow
from claude_pool_gh.storage import Transaction
from claude_pool_gh.terms.ids import Term
from claude_pool_gh.terms.patterns import matches


class Policy(Term):
    """The policy on approvers, as the configuration had it when the command was accepted."""

    approvals: int = 1
    four_eyes: bool = False
    codeowners: bool = False
    protected: tuple[str, ...] = ()
    protected_approvals: int = 2
    """How many must approve what touches a protected path."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """A chain's gate as it stands."""

    id: str
    chain_id: str
    step: str
    work: CapturedChange | None
    """What the chain has changed so far: what an approval lets out."""


def gate_of(
    tx: Transaction, chain: ChainRow, *, head: str, merge_base: str, config_blob: str
) -> Gate | None:
    """The gate that a chain waits at, or None. `head` and `merge_base` as they are to be approved."""
    step = waiting_step(chain)
    if step is None:
        return None
    work = work_of(tx, chain)
    digest = gate_id(
        chain.id,
        step.name,
        len(_rejections(chain, step)),
        head=head,
        merge_base=merge_base,
        patch=work.digest if work else "",
        plan=plan_digest(chain.plan, config_blob),
    )
    return Gate(id=digest, chain_id=chain.id, step=step.name, work=work)


def waiting_step(chain: ChainRow) -> StepRow | None:
    """The step that waits for approval."""
    return next((step for step in chain.steps if step.state is StepState.pending_review), None)


def work_of(tx: Transaction, chain: ChainRow) -> CapturedChange | None:
    """The work of a chain's agents, up to the step that waits."""
    shown = (*FINISHED, StepState.pending_review)
    found = [step.work for step in chain.steps if step.state in shown and step.work]
    return tasks.kept_work(tx, found[-1]["run"]) if found else None


def gate_id(
    chain_id: str, step: str, rejections: int, *, head: str, merge_base: str, patch: str, plan: str
) -> str:
    """The ID is the binding: change one of these and it matches nothing any more."""
    bound = [chain_id, step, rejections, head, merge_base, patch, plan]
    return hashlib.sha256(json.dumps(bound).encode()).hexdigest()[:10]


def plan_digest(plan: Plan, config_blob: str) -> str:
    """Of the configuration, and of each step's model, tools and prompts, and the budget."""
    steps = [step.model_dump(mode="json") for step in plan.steps]
    bound = {"config": config_blob, "steps": steps, "limits": plan.limits.model_dump(mode="json")}
    return hashlib.sha256(json.dumps(bound, sort_keys=True).encode()).hexdigest()


def _rejections(chain: ChainRow, step: StepRow) -> tuple[str, ...]:
    planned = next(each for each in chain.plan.steps if each.name == step.name)
    first = planned.again_from or step.name
    return next(each.rejections for each in chain.steps if each.name == first)


# ---- who is needed


@dataclass(frozen=True, slots=True)
class Needed:
    """The approvals that are still missing before a gate opens; nothing: it opens."""

    people: int = 0
    owners: tuple[str, ...] = field(default=())
    """Paths none of whose owners has approved."""
    why: str = ""

    def __bool__(self) -> bool:
        return bool(self.people or self.owners)


def needed(
    policy: Policy,
    approvals: Sequence[Approval],
    paths: Sequence[str],
    *,
    requester_id: int,
    rules: Sequence[Rule] = (),
) -> Needed:
    """The approvals that the policy still asks for. Pure."""
    counted = [
        each for each in approvals if not (policy.four_eyes and each.actor_id == requester_id)
    ]
    touched = protected(paths, policy.protected)
    least = max(policy.approvals, policy.protected_approvals if touched else 1)
    why = f"`changes.approvals` is {policy.approvals}"
    if policy.approvals < least:
        why = f"protected paths need {least} people (`changes.protected_approvals`)"
    people = max(0, least - len({each.actor_id for each in counted}))
    unowned = _unowned(counted, paths, rules) if policy.codeowners else ()
    return Needed(people, unowned, why if people else "")


def protected(paths: Sequence[str], more: Sequence[str] = ()) -> tuple[str, ...]:
    """The paths among these that need a second approver, however a file system may read their names."""
    patterns = [pattern.casefold() for pattern in (*PROTECTED, *more)]
    return tuple(
        path for path in paths if any(_names(pattern, _as_read(path)) for pattern in patterns)
    )


def _as_read(path: str) -> str:
    """A path as the most forgiving file system reads it: case, blanks and dots at an end, what is not seen."""
    seen = "".join(c for c in path if unicodedata.category(c) not in ("Cf", "Cc"))
    return "/".join(part.rstrip(" .") or part for part in seen.casefold().split("/"))


def _names(pattern: str, path: str) -> bool:
    """As in CODEOWNERS, but `folder/*` guards what is deeper in the folder too: whoever writes it means the folder."""
    return matches(f"{pattern}*" if pattern.endswith("/*") else pattern, path)


def _unowned(
    approvals: Sequence[Approval], paths: Sequence[str], rules: Sequence[Rule]
) -> tuple[str, ...]:
    """Paths that have owners, none of whom has approved. Teams cannot be asked for: only named people count."""
    approvers = {each.login.lower() for each in approvals}
    owned = {path: {owner.lower() for owner in owners_of(rules, path)} for path in paths}
    return tuple(path for path, owners in owned.items() if owners and not owners & approvers)
