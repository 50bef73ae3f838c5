"""The errors of git."""

from __future__ import annotations

from typing import ClassVar


class WorktreeError(Exception):
    """A git command failed or took too long. `detail` is git's own word, for operators, never for a comment."""

    def __init__(self, what: str, detail: str = "", out: str = "") -> None:
        super().__init__(f"{what}: {detail}" if detail else what)
        self.what, self.detail = what, detail
        self.out = out
        """What the command printed on its standard output: some commands report failures there."""


class TookTooLong(WorktreeError):
    """A git command was ended by its time limit. Of a push nobody knows whether it happened."""


class NoCommonCommit(WorktreeError):
    """Two commits have no ancestor in common, as after a branch was begun anew: there is no difference to read."""


class OriginUnavailable(WorktreeError):
    """The origin did not answer, or said that it cannot now. The same command may work later."""


class LoginRefused(OriginUnavailable):
    """The origin does not know the token that was shown, or no longer. A new one may be taken."""


class OutOfDisk(OriginUnavailable):
    """No room is left on this machine's disk. Once the operator has made some, the same command works."""

    do: ClassVar = "free some space on the disk that holds CLAUDE_POOL_STATE_DIR"
