"""A decision for every event and action that GitHub can send: `intake` has what is heard, and this the rest, with why.

A test holds both against GitHub's own list, so that a new event there is a decision here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

_EDITED: Final = (
    "only what was written so counts: an edit could put a command into another person's mouth"
)
_LIVE: Final = "read live when a command runs"
_NO_THREAD: Final = "about no issue or pull request"
_ADMIN: Final = "about accounts, plans or rules, which are enforced by GitHub"
_ALERT: Final = "alerts have tools of their own"
_BOARD: Final = "boards and plans start no work"
_NOT_READ: Final = "read as part of the thread when a command runs, not before"

EVERY: Final = "*"
"""Every action of an event, and an event without actions."""

UNHEARD: Final[Mapping[str, Mapping[str, str]]] = {
    # ---- threads
    "issue_comment": {"edited": _EDITED, "pinned": _NOT_READ, "unpinned": _NOT_READ},
    "pull_request_review_comment": {"edited": _EDITED},
    "pull_request_review": {
        "edited": _EDITED,
        "dismissed": "what a review's author or a maintainer decides about it is no command",
    },
    "pull_request_review_thread": {
        EVERY: "resolving a conversation is no judgement on a finding: that is `/pool dismiss`, with a reason",
    },
    "issues": {
        "opened": "a text that describes is no command, and nothing starts by itself on an issue",
        "edited": _NOT_READ,
        "assigned": _NOT_READ,
        "unassigned": _NOT_READ,
        "milestoned": _NOT_READ,
        "demilestoned": _NOT_READ,
        "field_added": _NOT_READ,
        "field_removed": _NOT_READ,
        "typed": _NOT_READ,
        "untyped": _NOT_READ,
        "pinned": _NOT_READ,
        "unpinned": _NOT_READ,
        "unlabeled": "what a label started is ended with `/pool cancel`",
        "locked": "GitHub refuses what may not be written there, and that is told where it can be",
        "unlocked": "what was refused there is asked for again",
    },
    "pull_request": {
        "assigned": _NOT_READ,
        "unassigned": _NOT_READ,
        "milestoned": _NOT_READ,
        "demilestoned": _NOT_READ,
        "unlabeled": "what a label started is ended with `/pool cancel`",
        "locked": "GitHub refuses what may not be written there, and that is told where it can be",
        "unlocked": "what was refused there is asked for again",
        "converted_to_draft": "what runs goes on; new commits of a draft start nothing",
        "review_requested": "the App is no user whose review could be requested",
        "review_request_removed": "the App is no user whose review could be requested",
        "auto_merge_enabled": "merging is not ours",
        "auto_merge_disabled": "merging is not ours",
        "enqueued": "merge_group.checks_requested names the commit that waits",
        "dequeued": "nothing of ours waits in it",
        "stacked": "the base is read live when a command runs",
    },
    "merge_group": {"destroyed": "a check on a commit that is gone is seen by nobody"},
    "sub_issues": {EVERY: _NOT_READ},
    "issue_dependencies": {EVERY: _NOT_READ},
    "label": {EVERY: _LIVE},
    "milestone": {EVERY: _BOARD},
    "commit_comment": {
        "created": "a comment on a commit stands in no thread that a chain could belong to"
    },
    "discussion": {
        EVERY: "discussions have no head, no check and no review; commands there are not offered"
    },
    "discussion_comment": {
        EVERY: "discussions have no head, no check and no review; commands there are not offered"
    },
    # ---- commits and checks
    "push": {
        EVERY: "a pull request's new head comes as pull_request.synchronize; the default branch is read live"
    },
    "create": {EVERY: "branches and tags are read live"},
    "delete": {EVERY: "a push to a branch that is gone is refused by git, and told"},
    "status": {EVERY: "results of others are read when a review begins"},
    "check_run": {
        "created": "results of others are read when a review begins",
        "completed": "results of others are read when a review begins",
    },
    "check_suite": {
        "requested": "nothing runs on every commit by itself; `review.on_push` goes by pull_request.synchronize",
        "completed": "results of others are read when a review begins",
    },
    "workflow_run": {EVERY: "results of others are read when a review begins"},
    "workflow_job": {EVERY: "results of others are read when a review begins"},
    "workflow_dispatch": {EVERY: "addressed to a workflow of the repository"},
    "repository_dispatch": {EVERY: "addressed to a workflow of the repository"},
    "deployment": {EVERY: _NO_THREAD},
    "deployment_status": {EVERY: _NO_THREAD},
    "deployment_review": {EVERY: _NO_THREAD},
    "deployment_protection_rule": {EVERY: _NO_THREAD},
    "branch_protection_rule": {EVERY: "whether a check is required is asked by `doctor`"},
    "branch_protection_configuration": {EVERY: "whether a check is required is asked by `doctor`"},
    "repository_ruleset": {
        EVERY: "what a ruleset forbids is refused by GitHub at the push, and told"
    },
    # ---- repositories and installations
    "repository": {
        "created": "installation_repositories.added says so if it is ours",
        "edited": "the default branch is read live",
        "privatized": "every answer is asked with the live permission",
        "publicized": "every answer is asked with the live permission",
    },
    "public": {EVERY: "every answer is asked with the live permission"},
    "installation": {"new_permissions_accepted": "the next token has them"},
    "installation_target": {"renamed": "each event names the repository as it is called by then"},
    "github_app_authorization": {"revoked": "the App signs in for nobody"},
    "meta": {"deleted": "a webhook that is gone sends nothing more"},
    "ping": {EVERY: "answered, and nothing else"},
    "fork": {EVERY: _NO_THREAD},
    "gollum": {EVERY: _NO_THREAD},
    "page_build": {EVERY: _NO_THREAD},
    "release": {EVERY: _NO_THREAD},
    "package": {EVERY: _NO_THREAD},
    "registry_package": {EVERY: _NO_THREAD},
    "repository_import": {EVERY: _NO_THREAD},
    "star": {EVERY: _NO_THREAD},
    "watch": {EVERY: _NO_THREAD},
    "custom_property": {EVERY: _ADMIN},
    "custom_property_values": {EVERY: _ADMIN},
    "deploy_key": {EVERY: _ADMIN},
    "marketplace_purchase": {EVERY: _ADMIN},
    "member": {EVERY: "roles are asked live"},
    "membership": {EVERY: "roles are asked live"},
    "organization": {EVERY: "roles are asked live"},
    "org_block": {EVERY: "roles are asked live"},
    "personal_access_token_request": {EVERY: _ADMIN},
    "sponsorship": {EVERY: _ADMIN},
    "team": {EVERY: "roles are asked live"},
    "team_add": {EVERY: "roles are asked live"},
    "project": {EVERY: _BOARD},
    "project_card": {EVERY: _BOARD},
    "project_column": {EVERY: _BOARD},
    "projects_v2": {EVERY: _BOARD},
    "projects_v2_item": {EVERY: _BOARD},
    "projects_v2_status_update": {EVERY: _BOARD},
    # ---- security
    "code_scanning_alert": {EVERY: _ALERT},
    "dependabot_alert": {EVERY: _ALERT},
    "repository_advisory": {EVERY: _ALERT},
    "repository_vulnerability_alert": {EVERY: _ALERT},
    "secret_scanning_alert": {EVERY: _ALERT},
    "secret_scanning_alert_location": {EVERY: _ALERT},
    "secret_scanning_scan": {EVERY: _ALERT},
    "security_advisory": {EVERY: _ALERT},
    "security_and_analysis": {EVERY: _ALERT},
}


def why_unheard(event: str, action: str | None) -> str:
    """The reason why an event is not listened to, for the log."""
    actions = UNHEARD.get(event, {})
    reason = (
        actions.get(action or "")
        or actions.get(EVERY)
        or "GitHub had no such event when this was written"
    )
    return f"{event}.{action} is not listened to: {reason}"
