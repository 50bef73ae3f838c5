"""The facts of a job: the event, the inputs, the token, and the files through which the runner hears of it."""

from __future__ import annotations

import hashlib
import os
import secrets
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from claude_pool_gh.action import look
from claude_pool_gh.action.look import Fault
from claude_pool_gh.action.state import money
from claude_pool_gh.action.state.audits import AUDITS
from claude_pool_gh.action.state.database_redactor import DatabaseRedactor
from claude_pool_gh.action.state.keeper import Held, Keeper
from claude_pool_gh.action.state.prune import THREADS
from claude_pool_gh.action.state.ref import Ref
from claude_pool_gh.action.state.signing import SHORTEST_KEY, StateKey, keys_in
from claude_pool_gh.commands.lines import WORD, find
from claude_pool_gh.github import intake, payloads
from claude_pool_gh.github.command_request import CommandRequest
from claude_pool_gh.github.deliveries import VerifiedDelivery
from claude_pool_gh.github.intake import Found, NotForUs
from claude_pool_gh.reports.redact import Redactor
from claude_pool_gh.service.settings import Settings, SettingsError, read
from claude_pool_gh.terms.ids import Actor, Repository, Thread, Trigger
from claude_pool_gh.worktrees.git import Credentials

DEADLINE_SECONDS: Final = 20 * 60.0
"""Below the `timeout-minutes: 30` of the example, so that a job ends by itself and says so."""

UNPLACED: Final = 2**31 - 1
"""In place of a number, until the audit's report issue is known: no thread has it."""
_MOST_ATTEMPTS: Final = 100
"""GitHub lets nobody run a job again more often than 50 times."""
_MODELS_API: Final = str(Settings.model_fields["anthropic_base_url"].default)
_GIVE_STATE_KEY: Final = (
    "Jobs sign the states with one of the two that they keep in refs: add a secret from `openssl rand -hex 32`, and "
    "give it as `state_key`"
)
_LONGEST_SECONDS: Final = 5 * 86_400.0
"""GitHub ends every job on a runner of one's own then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One job of GitHub Actions."""

    event: str
    payload: Mapping[str, Any]
    inputs: look.Inputs
    token: str = field(repr=False)
    folder: Path
    """The runner's own for this job: what is put there is gone after it."""
    run_id: str
    attempt: int
    """1, and one more each time that somebody has run the job again."""
    name: str
    """The job's among those of its run."""
    deadline_seconds: float
    state_key: str = field(default="", repr=False)
    """Signs its states in place of the API key; "" for none."""
    began_ms: int = field(default_factory=lambda: int(time.time() * 1000))
    step: str = field(default_factory=lambda: secrets.token_hex(4))
    """Tells its files from those of the same job's other steps, which may use this action too."""

    @classmethod
    def from_environment(cls, *, needs_key: bool = True) -> Job:
        """The job that the runner and action.yml describe. Raises Fault."""
        environment = os.environ
        event, payload, inputs = look.asked(environment)
        inputs = inputs._replace(
            has_key=bool(environment.get("ANTHROPIC_API_KEY", "").strip()) or not needs_key,
            has_token=bool(environment.get("GITHUB_TOKEN", "").strip()),
        )
        look.check(event, payload, inputs, environment)
        return cls(
            event=look.ALIASES.get(event, event),
            payload=payload,
            inputs=inputs,
            token=environment.get("GITHUB_TOKEN", "").strip(),  # pasted with a line break
            folder=Path(environment.get("RUNNER_TEMP") or "."),
            run_id=f"{environment.get('GITHUB_RUN_ID', '0')}.{environment.get('GITHUB_RUN_ATTEMPT', '1')}",
            attempt=_attempt(environment.get("GITHUB_RUN_ATTEMPT", "")),
            name=environment.get("GITHUB_JOB", ""),
            deadline_seconds=_seconds(environment.get("POOL_DEADLINE_SECONDS", "")),
            state_key=_state_key(environment.pop("POOL_STATE_KEY", "")),  # no child needs it
        )

    @property
    def dry_run(self) -> bool:
        """True where it only shows what would happen."""
        return look.flag("dry_run", self.inputs.dry_run)

    @property
    def home(self) -> Path:
        """The folder into which action.yml has installed what runs here."""
        return self.folder / "claude-pool"

    @property
    def state(self) -> Path:
        """Database, mirrors and worktrees of this job."""
        return self.folder / "claude-pool-state"

    @property
    def bill(self) -> Path:
        """Holds what all requests had cost before this job, in microdollars."""
        return self.state / "spent-before"

    @property
    def thread_url(self) -> str:
        """The page of the issue or pull request that the job is about; "" where there is none."""
        for holder in ("issue", "pull_request"):
            part = self.payload.get(holder)
            if isinstance(part, dict) and isinstance(part.get("html_url"), str):
                return str(part["html_url"])
        return ""

    @property
    def sarif(self) -> Path:
        """The file with what an audit has found, for code scanning."""
        return self.folder / f"claude-pool-audit-{self.step}.sarif"

    @property
    def report(self) -> Path:
        """The file with the whole report."""
        return self.folder / f"claude-pool-report-{self.step}.md"

    @property
    def asked_ms(self) -> int:
        """The moment at which the job was asked for, by GitHub's clock where its event says so."""
        for part in ("comment", "review"):
            said = self.payload.get(part)
            if isinstance(said, dict) and (
                told := said.get("created_at") or said.get("submitted_at")
            ):
                with suppress(ValueError, TypeError):
                    return int(datetime.fromisoformat(told).timestamp() * 1000)
        return self.began_ms

    @property
    def is_unplaced(self) -> bool:
        """True where the command is for an audit's report issue, whichever that is."""
        return not self.inputs.number.strip() and look.thread_of(self.payload) is None

    def ref(
        self, repository: Repository, settings: Settings, name: str, folder: str = "kept.git"
    ) -> Ref:
        """A ref of the repository, for what jobs keep. `folder`: of our own repository, one for each purpose."""
        url = f"{settings.github_server_url.rstrip('/')}/{repository.owner}/{repository.name}.git"
        return Ref(self.state / folder, Credentials(self.token, url), name)

    def key(self, settings: Settings) -> StateKey:
        """The key that its states are signed with; an empty one where it keeps none. Raises Fault.

        Everybody who can read the repository has signed states to try keys on.
        """
        if self.state_key:
            return StateKey.of(*keys_in(self.state_key))
        if self.inputs.is_federated or self.dry_run:
            return StateKey()
        api_key = settings.anthropic_api_key.get_secret_value().strip()
        if settings.anthropic_base_url.rstrip("/") != _MODELS_API:
            raise Fault(
                "state_key: it is empty, and ANTHROPIC_BASE_URL names a gateway, whose keys may be easy to guess. "
                f"{_GIVE_STATE_KEY}"
            )
        if len(api_key) < SHORTEST_KEY:
            raise Fault(
                f"state_key: it is empty, and anthropic_api_key has fewer than {SHORTEST_KEY} characters, so it "
                f"could be guessed. {_GIVE_STATE_KEY}"
            )
        return StateKey.of(api_key)

    def keeper(self, thread: Thread, settings: Settings, held: Held) -> Keeper:
        """The keeper of the thread's state between its jobs, or of an audit's."""
        audit = held.audit
        repository = thread.repository
        name = f"{AUDITS}{audit}" if audit else f"{THREADS}{thread.number}"
        ref = self.ref(repository, settings, name)
        return Keeper(
            ref,
            self.ref(repository, settings, money.NAME, folder="ledger.git"),
            self.database,
            repository.id,
            thread.number if thread.number != UNPLACED else 0,
            f"{self.run_id} {self.name} {self._leg()}",
            DatabaseRedactor(Redactor(settings.all_secrets)),
            audit,
            held.key,
            self.asked_ms,
        )

    @property
    def database(self) -> Path:
        """The file that the jobs of one state share."""
        return self.state / "pool.sqlite"

    def _leg(self) -> str:
        """Tells this job from all others that the runner calls the same, as it does those of a matrix."""
        file = self.folder / "claude-pool-leg"
        if not file.exists():
            file.write_text(secrets.token_hex(8))
        return file.read_text()

    def settings(self) -> Settings:
        """The server's settings for this job. Raises Fault."""
        given = {
            "state_dir": self.state,
            "model": self.inputs.model,
            "budget_usd": self.inputs.budget_usd,
            "slots": self.inputs.slots,
        }
        if self.inputs.is_federated:  # the gateway asks with the job's identity, and has no key
            given["anthropic_api_key"] = f"no-key-{secrets.token_hex(16)}"
        try:
            settings = read(given)
        except SettingsError as error:
            raise Fault("; ".join(error.faults)) from None
        return settings.model_copy(update={"database_url": ""}).hiding(
            self.token, self.state_key, *keys_in(self.state_key)
        )

    def found(self) -> Found | NotForUs:
        """The commands of this job: the input's, else those in the event that the runner wrote."""
        if self.inputs.command.strip():
            return Found(tuple(self._given()))
        return intake.recognise(VerifiedDelivery("actions-event", self.event, dict(self.payload)))

    def _given(self) -> list[CommandRequest]:
        """The commands in the input. Whoever caused the event asks, and needs the role. Raises Fault."""
        text = self.inputs.command.strip()
        lines = find(text if text.lower().startswith(WORD) else f"{WORD} {text}")
        if not lines:
            raise Fault(f"command: {text[:80]!r} holds no command, such as `/pool review`")
        number = (
            int(self.inputs.number) if self.inputs.number.strip() else look.thread_of(self.payload)
        )
        if number is None:
            if not look.is_audit(text):
                raise Fault(
                    "number: the input `command` needs the number of an issue or pull request"
                )
            number = UNPLACED
        thread = Thread(repository=self._repository(), number=number)
        # A run may give several, in steps of one job or in the jobs of a matrix; run again, it gives the same ones.
        # Of the other inputs, the model makes another command; more money or slots do the same one.
        asked = f"{number}\n{text}\n{self.inputs.model}"
        what = hashlib.sha256(asked.encode()).hexdigest()[:16]
        kind = "schedule" if self.event == "schedule" else "workflow"
        source = Trigger(kind=kind, id=f"{self.run_id.partition('.')[0]}:{what}")
        return [
            CommandRequest(
                thread=thread, actor=self._actor(), source=source, line=line.text, ordinal=ordinal
            )
            for ordinal, line in enumerate(lines)
        ]

    def _repository(self) -> Repository:
        """The job's repository: from the event, or from the runner where an event such as a schedule has none."""
        given = self.payload.get("repository")
        if not isinstance(given, dict):
            owner, _, name = os.environ.get("GITHUB_REPOSITORY", "").partition("/")
            number = os.environ.get("GITHUB_REPOSITORY_ID", "")
            if not name or not number.isdecimal():
                raise Fault(
                    "neither the event nor the runner names the repository: run the job again"
                )
            return Repository(id=int(number), owner=owner, name=name, installation_id=0)
        try:
            part = payloads.RepositoryPart.model_validate(given)
        except ValueError:
            raise Fault("the event names no repository: run the job again") from None
        return Repository(id=part.id, owner=part.owner.login, name=part.name, installation_id=0)

    def _actor(self) -> Actor:
        """The event's sender; of a schedule, which has none, whoever GitHub runs it for."""
        actor = self._sender()
        return actor.model_copy(update={"is_human": True}) if self.dry_run else actor

    def _sender(self) -> Actor:
        sender = self.payload.get("sender")
        if isinstance(sender, dict) and isinstance(sender.get("id"), int):
            return payloads.User.model_validate(sender).actor
        login, number = os.environ.get("GITHUB_ACTOR", ""), os.environ.get("GITHUB_ACTOR_ID", "")
        if not login or not number.isdecimal():
            raise Fault(
                "GITHUB_ACTOR and GITHUB_ACTOR_ID are not set: nobody is known who asks for `command`"
            )
        kind = "Bot" if login.endswith("[bot]") else "User"
        return payloads.User.model_validate({"id": int(number), "login": login, "type": kind}).actor


def _attempt(text: str) -> int:
    return min(int(text), _MOST_ATTEMPTS) if text.isascii() and text.isdigit() and int(text) else 1


def _state_key(text: str) -> str:
    """The input of that name. Raises Fault."""
    key = text.strip()
    if key and len(key) < SHORTEST_KEY:
        raise Fault(
            f"state_key: it has fewer than {SHORTEST_KEY} characters; `openssl rand -hex 32` makes one"
        )
    return key


def _seconds(text: str) -> float:
    """The job's own deadline. Raises Fault."""
    try:
        seconds = float(text.strip() or DEADLINE_SECONDS)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= _LONGEST_SECONDS:
        raise Fault(f"POOL_DEADLINE_SECONDS: {text[:40]!r} is no number of seconds, such as `1200`")
    return seconds
