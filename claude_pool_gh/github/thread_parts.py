"""The use of each part and state of an issue or pull request: used, or deliberately not, and why.

Events are decided on in `events` and `intake`; this is about what a thread is, whichever event told of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

PARTS: Final[Mapping[str, str]] = {
    "title": "read when a command runs; an edit starts nothing",
    "body": "read when a command runs; commands in it are not heard: it describes, and others may edit it",
    "comment": "commands in it are heard when it is created, and fetched again before they act",
    "edited comment": "runs nothing; one that was edited before it was acted on is refused in words",
    "deleted comment": "a command in it is refused; one of the bot's own stays deleted",
    "minimized comment": "its command has acted when it was created; hiding it undoes nothing",
    "pinned comment": "as any other",
    "comment by mail": "commands count above all other text only, and never below the line that begins a quotation",
    "review, by its text": "commands in it are heard when it is submitted, whatever its verdict",
    "edited review": "runs nothing; one that was edited before it was acted on is refused in words",
    "dismissed review": "its commands have acted when it was submitted",
    "pending review": "seen by nobody but its author until it is submitted",
    "comment in a review": "commands in it are heard, and answered where they stand",
    "resolved conversation": "no judgement on a finding: that is `/pool dismiss`, with a reason",
    "label": "one that begins with `pool:` asks for its verb, where the configuration allows it; others are read",
    "milestone": "not used",
    "assignees": "not used",
    "projects": "not used",
    "requested reviewers": "not used: an App cannot be one",
    "reactions": "not read: they carry no permission that could be checked in time",
    "author without write access": "agents read only commits that somebody with write access has allowed",
    "author who is a bot": "commands only where its number stands in the configuration",
    "author who is gone": "GitHub's ghost: no commands, no write access",
    "the bot's own comment": "never obeyed",
    "open": "commands run",
    "closed": "what is open in it is ignored, what waits cannot be approved, commands that need it open say so",
    "reopened": "findings that were ignored are open again, and what waits can be approved again at the same commit",
    "merged": "as closed, for good",
    "draft": "commands run; new commits start nothing by themselves",
    "ready for review": "starts a review where the configuration wants one",
    "locked": "commands of those who may still comment run; what GitHub refuses to the bot is logged",
    "transferred issue": "as closed: it goes on elsewhere under another number",
    "deleted issue": "as closed",
    "issue converted to a discussion": "GitHub deletes the issue: as closed",
    "new head": "what was shown says that the head has moved; nothing that was approved for another commit is pushed",
    "force-pushed head": "as a new head; findings are looked for in the new code",
    "another base": "what was approved for the old base is not pushed; a review's check becomes neutral",
    "head branch deleted": "reviews go on by the pull request's own ref; a push is refused by git, and told",
    "head repository deleted": "reviewed by the pull request's own ref; a patch is for hand",
    "renamed repository": "known by its number; written to under the name that it has by then",
    "archived repository": "what runs is ended, nothing is written",
    "merge queue": "the check at the queue's commit repeats what the pull request's own says at its present head",
    "sub-issues and dependencies": "not used",
}
