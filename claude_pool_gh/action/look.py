"""The Action's first step: is there anything to do, and can it be done? Standard library only, no secret, no network.

It reads the event and the inputs. A comment without a command ends here, before anything is installed or anybody is
asked. It may say yes where the server then finds nothing, and never no where the server finds a command.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Mapping
from typing import Any, NamedTuple

from claude_pool_gh.action import protocol

BODY_LIMIT = 64 * 1024
_COMMAND = re.compile(r"(?:\A|[\r\n])/pool(?=[ \t\r\n]|\Z)", re.ASCII | re.IGNORECASE)
_AUDIT = re.compile(r"(?:/pool[ \t]+)?audit(?:[ \t][^\r\n]*)?", re.ASCII | re.IGNORECASE)
_MODEL = re.compile(r"claude-[A-Za-z0-9.@-]{1,72}")
_LABEL = "pool:"
_OURS = "check:"

ALIASES = {"pull_request_target": "pull_request"}
"""What Actions calls otherwise than webhooks do: the same happening, in a job of the base branch."""
_TEXTS = {
    ("issue_comment", "created"): "comment",
    ("pull_request_review", "submitted"): "review",
    ("pull_request_review_comment", "created"): "comment",
}
_AUTOMATIC = frozenset({"opened", "ready_for_review", "synchronize"})
_ASKED = frozenset({("check_run", "rerequested"), ("check_run", "requested_action")})
_THREADS = frozenset(
    {
        "issue_comment",
        "issues",
        "pull_request",
        "pull_request_review",
        "pull_request_review_comment",
        "pull_request_review_thread",
        "check_run",
        "check_suite",
    }
)
"""Events about an issue or a pull request, which mostly ask for nothing. Every other one needs the input `command`."""
_CLOUDS = {
    "CLAUDE_CODE_USE_BEDROCK": "Amazon Bedrock",
    "CLAUDE_CODE_USE_VERTEX": "Google Vertex AI",
    "CLAUDE_CODE_USE_FOUNDRY": "Microsoft Foundry",
}
DEFAULTS = {"model": "claude-sonnet-5-5", "budget_usd": "3", "slots": "2"}
"""What an input is that is left out (action.yml says the same) or blank, as a variable that is not set makes it."""
DRY_RUN_COMMAND = "/pool review"
"""What a pull request's own event shows in a dry run, where the workflow says nothing else."""
_BY_ITSELF = (
    f"claude-pool: this is a dry run of `{DRY_RUN_COMMAND}`, as for each event `pull_request` without the input "
    "`command`. For a real run give `command`, or `dry_run: false` where the configuration's triggers decide"
)
_SHOWN = _AUTOMATIC | {"reopened"}
"""Actions of the event `pull_request` that such a dry run is made for. A label asks for something itself."""
_YES = frozenset({"true", "1", "yes", "on"})
_NO = frozenset({"", "false", "0", "no", "off"})


class Fault(Exception):
    """The reason why the job cannot do what it was asked for, in one sentence with what to change."""


class Inputs(NamedTuple):
    """The workflow's inputs, as text; of secrets only whether they were given."""

    command: str = ""
    number: str = ""
    model: str = ""
    budget_usd: str = ""
    slots: str = ""
    dry_run: str = ""
    has_key: bool = False
    has_token: bool = False
    federation_rule_id: str = ""
    organization_id: str = ""
    service_account_id: str = ""
    workspace_id: str = ""

    @property
    def is_federated(self) -> bool:
        """True where the job's own identity stands in place of a key."""
        return (
            bool(self.federation_rule_id or self.organization_id)
            and self.dry_run.lower() not in _YES
        )


def reason(event: str, payload: Mapping[str, Any], inputs: Inputs) -> str:
    """The reason why there is nothing to do; "" where there may be.

    Raises Fault where a job was started for nothing.
    """
    event = ALIASES.get(event, event)
    if inputs.command.strip():
        return ""
    if event not in _THREADS:
        raise Fault(
            f"the event {event!r} asks for nothing by itself: give the input `command`, such as `/pool review`, "
            "and `number`, the issue or pull request that it is for"
        )
    action = payload.get("action")
    if (holder := _TEXTS.get((event, str(action)))) is not None:
        body = _part(payload, holder).get("body")
        has = isinstance(body, str) and _COMMAND.search(body[:BODY_LIMIT])
        return "" if has else f"the {holder} holds no command"
    return _without_text(event, str(action), payload)


def _without_text(event: str, action: str, payload: Mapping[str, Any]) -> str:
    if action == "labeled" and event in ("issues", "pull_request"):
        name = _part(payload, "label").get("name")
        return (
            ""
            if isinstance(name, str) and name.startswith(_LABEL)
            else "the label asks for nothing"
        )
    if event == "pull_request" and action in _AUTOMATIC:
        return (
            "the pull request is a draft"
            if _part(payload, "pull_request").get("draft") is True
            else ""
        )
    if (event, action) in _ASKED:
        key = _part(payload, "check_run").get("external_id")
        return (
            ""
            if isinstance(key, str) and key.startswith(_OURS)
            else "the check run is somebody else's"
        )
    if (event, action) == ("check_suite", "rerequested"):
        pulls = _part(payload, "check_suite").get("pull_requests")
        return "" if isinstance(pulls, list) and pulls else "the checks belong to no pull request"
    return f"{event} ({action}) asks for nothing"


def check(
    event: str, payload: Mapping[str, Any], inputs: Inputs, environment: Mapping[str, str]
) -> None:
    """Check whether what was asked for can be begun. Raises Fault."""
    if sys.version_info < (3, 11):  # noqa: UP036 - this step runs on whatever the machine has
        raise Fault("Python 3.11 or newer is needed: add actions/setup-python before this action")
    for variable, name in _CLOUDS.items():
        if environment.get(variable, "").strip().lower() not in _NO:
            raise Fault(
                f"{variable} is set, and {name} is not supported: every request must go to Anthropic's API, where its "
                "price is known. Remove the variable and give the input `anthropic_api_key`"
            )
    dry = flag("dry_run", inputs.dry_run)
    _numbers(inputs)
    if inputs.model and not _MODEL.fullmatch(inputs.model):
        raise Fault(
            f"model: {inputs.model[:100]!r} is no full id of a model, such as `claude-sonnet-5-5`"
        )
    command = inputs.command.strip()
    reports = is_audit(command) and not dry  # in an issue of its own, which a dry run does not open
    if command and not (reports or inputs.number.strip() or thread_of(payload)):
        raise Fault(
            f"number: the event {event!r} belongs to no issue or pull request, so `command` needs the input "
            "`number`"
        )
    if not inputs.has_token:
        raise Fault(
            "github_token: it is empty. Leave the input out, so that the job's own token is used, or give a token "
            "that is not empty"
        )
    if inputs.is_federated:
        _identity(inputs, environment)
    elif not (inputs.has_key or dry):
        raise Fault(_no_key(event, payload))


def _identity(inputs: Inputs, environment: Mapping[str, str]) -> None:
    """Check whether the job can say who it is. Raises Fault."""
    if inputs.has_key:
        raise Fault(
            "anthropic_api_key and anthropic_federation_rule_id: both are given. Leave one of them out: the key, where "
            "the job's own identity is to be used"
        )
    if not (inputs.federation_rule_id and inputs.organization_id):
        lacks = (
            "anthropic_organization_id"
            if inputs.federation_rule_id
            else "anthropic_federation_rule_id"
        )
        raise Fault(f"{lacks}: it is empty, and workload identity federation needs both ids")
    if not environment.get("ACTIONS_ID_TOKEN_REQUEST_URL"):
        raise Fault(
            "anthropic_federation_rule_id: the job has no identity. Add `id-token: write` to its `permissions:`; "
            "GitHub gives none to pull requests of forks"
        )


def _no_key(event: str, payload: Mapping[str, Any]) -> str:
    head = _part(_part(_part(payload, "pull_request"), "head"), "repo")
    is_elsewhere = "pull_request" in payload and head.get("id") != _part(payload, "repository").get(
        "id"
    )
    outside = is_elsewhere or _part(payload, "sender").get("login") == "dependabot[bot]"
    if outside and event not in ("issue_comment", "pull_request_target"):
        return (
            "anthropic_api_key: it is empty, since GitHub gives no secrets to this event of a fork or of Dependabot: "
            "write the command as an ordinary comment on the pull request instead"
        )
    return (
        "anthropic_api_key: it is empty. Add a secret ANTHROPIC_API_KEY under Settings, Secrets and variables, "
        "Actions, and give it to this step as `anthropic_api_key: ${{ secrets.ANTHROPIC_API_KEY }}`"
    )


def _numbers(inputs: Inputs) -> None:
    if inputs.number.strip() and not re.fullmatch(r"[1-9][0-9]{0,9}", inputs.number.strip()):
        raise Fault(f"number: {inputs.number[:40]!r} is no number of an issue or pull request")
    if inputs.slots.strip() and not (
        re.fullmatch(r"[0-9]{1,3}", inputs.slots.strip()) and 1 <= int(inputs.slots) <= 64
    ):
        raise Fault(f"slots: {inputs.slots[:40]!r} is no whole number from 1 to 64")
    if inputs.budget_usd.strip():
        try:
            dollars = float(inputs.budget_usd)
        except ValueError:
            raise Fault(
                f"budget_usd: {inputs.budget_usd[:40]!r} is not a number, such as `3` or `0.50`"
            ) from None
        if not 0 < dollars <= 100_000:
            raise Fault(f"budget_usd: {inputs.budget_usd[:40]!r} is not above 0 and at most 100000")


def flag(name: str, text: str) -> bool:
    """An input that is yes or no. Raises Fault."""
    word = text.strip().lower()
    if word not in _YES | _NO:
        raise Fault(f"{name}: {text[:40]!r} is neither `true` nor `false`")
    return word in _YES


def is_audit(command: str) -> bool:
    """True where a command is one audit: it has its report issue to stand in."""
    return _AUDIT.fullmatch(command.strip()) is not None


def thread_of(payload: Mapping[str, Any]) -> int | None:
    """The number of the issue or pull request that an event belongs to."""
    for holder in ("issue", "pull_request"):
        number = _part(payload, holder).get("number")
        if isinstance(number, int) and number > 0:
            return number
    return None


def event_of(environment: Mapping[str, str]) -> tuple[str, dict[str, Any]]:
    """The event's name and payload, which the runner wrote. Raises Fault."""
    name, path = environment.get("GITHUB_EVENT_NAME", ""), environment.get("GITHUB_EVENT_PATH", "")
    if not name or not path:
        raise Fault(
            "GITHUB_EVENT_NAME and GITHUB_EVENT_PATH are not set: this action runs in a job of GitHub Actions"
        )
    try:
        with open(path, encoding="utf-8") as file:  # noqa: PTH123 - imports cost what this step may not
            payload = json.load(file)
    except OSError as error:
        raise Fault(f"the event file {path} cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError):
        raise Fault(f"the event file {path} holds no JSON: run the job again") from None
    if not isinstance(payload, dict):
        raise Fault(f"the event file {path} holds no event: run the job again")
    return name, payload


def inputs_of(environment: Mapping[str, str]) -> Inputs:
    """The inputs, as action.yml hands them to this step: without blanks around them, a blank one as its default."""

    def given(name: str) -> str:
        return environment.get(f"POOL_{name.upper()}", "").strip() or DEFAULTS.get(name, "")

    return Inputs(
        command=given("command"),
        number=given("number"),
        model=given("model"),
        budget_usd=given("budget_usd"),
        slots=given("slots"),
        dry_run=given("dry_run"),
        has_key=environment.get("POOL_HAS_KEY") == "true",
        has_token=environment.get("POOL_HAS_TOKEN") == "true",
        federation_rule_id=given("federation_rule_id"),
        organization_id=given("organization_id"),
        service_account_id=given("service_account_id"),
        workspace_id=given("workspace_id"),
    )


def asked(environment: Mapping[str, str]) -> tuple[str, dict[str, Any], Inputs]:
    """The event's name, its payload, and what is meant by the inputs under that event. Raises Fault."""
    event, payload = event_of(environment)
    return event, payload, meant(event, payload, inputs_of(environment))


def meant(event: str, payload: Mapping[str, Any], inputs: Inputs) -> Inputs:
    """The inputs, completed for the event `pull_request`: without a `command` it is a dry run of a review.

    A written `command` or `dry_run: false` wins. `pull_request_target` is another event: its jobs have
    the repository's secrets, and so are no first look at what a workflow will do. Pure.
    """
    if event != "pull_request" or str(payload.get("action")) not in _SHOWN or inputs.command:
        return inputs
    if inputs.dry_run and inputs.dry_run.lower() not in _YES:
        return inputs
    return inputs._replace(command=DRY_RUN_COMMAND, dry_run="true")


def _part(whole: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = whole.get(name)
    return found if isinstance(found, dict) else {}


def _forget_earlier_step(environment: Mapping[str, str]) -> None:
    """Remove the state of a step of the same job that has used this action before: it is over, and none of this one's.

    The last step ends whatever stands there. Where it cannot be removed, that one says so.
    """
    state = f"{protocol.home(environment)}-state"
    if os.path.isdir(state):  # noqa: PTH112
        import shutil  # noqa: PLC0415 - most jobs end in a few hundredths of a second

        shutil.rmtree(state, ignore_errors=True)


def main() -> int:
    """Tell the following steps whether there is work; red where a job was started that cannot do it."""
    _forget_earlier_step(os.environ)
    try:
        event, payload, inputs = asked(os.environ)
        nothing = reason(event, payload, inputs)
        if not nothing:
            check(event, payload, inputs, os.environ)
            if inputs.command != os.environ.get("POOL_COMMAND", "").strip():
                protocol.say(protocol.command("notice", _BY_ITSELF))
    except Fault as fault:
        protocol.error(str(fault))
        protocol.output(
            work="false", outcome="misconfigured", cost_usd="0.000000", fault=str(fault)
        )
        protocol.summary(f"### claude-pool: nothing was run\n\n{fault}\n")
        return 1
    if nothing:
        protocol.say(f"Nothing to do: {protocol.plain(nothing)}.")
        protocol.output(work="false", outcome="nothing", cost_usd="0.000000")
        protocol.summary(f"claude-pool: nothing to do, {nothing}.\n")
        return 0
    protocol.output(work="true")
    return 0


if __name__ == "__main__":
    sys.exit(main())
