"""A GitHub on the loopback interface: REST in the manner of GitHub Enterprise Server, git, webhooks.

README.md in this folder shows how to use it.
"""

from claude_pool_gh.rehearsal.github.errors import RefusedError
from claude_pool_gh.rehearsal.github.scene.github import SimulatedGitHub
from claude_pool_gh.rehearsal.github.scene.repository import Repository
from claude_pool_gh.rehearsal.github.state.checks import CheckRun, CommitStatus
from claude_pool_gh.rehearsal.github.state.deliveries import Delivery
from claude_pool_gh.rehearsal.github.state.git import Content, Executable, Files, GitError, Symlink
from claude_pool_gh.rehearsal.github.state.installations import Installation
from claude_pool_gh.rehearsal.github.state.limits import Limits
from claude_pool_gh.rehearsal.github.state.people import App, Role, User
from claude_pool_gh.rehearsal.github.state.repository import (
    Comment,
    Issue,
    Pull,
    Review,
    ReviewComment,
)
from claude_pool_gh.rehearsal.github.state.texts import Label, Reaction
from claude_pool_gh.rehearsal.github.web.faults import (
    Fault,
    Hide,
    Moment,
    Reset,
    Respond,
    Stall,
    Truncate,
    bad_gateway,
    secondary_limit,
    too_many,
    unauthorized,
)
from claude_pool_gh.rehearsal.github.web.journal import Exchange, Request, WebhookSent

__all__ = [
    "App",
    "CheckRun",
    "Comment",
    "CommitStatus",
    "Content",
    "Delivery",
    "Exchange",
    "Executable",
    "Fault",
    "Files",
    "GitError",
    "Hide",
    "Installation",
    "Issue",
    "Label",
    "Limits",
    "Moment",
    "Pull",
    "Reaction",
    "RefusedError",
    "Repository",
    "Request",
    "Reset",
    "Respond",
    "Review",
    "ReviewComment",
    "Role",
    "SimulatedGitHub",
    "Stall",
    "Symlink",
    "Truncate",
    "User",
    "WebhookSent",
    "bad_gateway",
    "secondary_limit",
    "too_many",
    "unauthorized",
]
