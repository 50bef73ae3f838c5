"""Signs what jobs keep in refs with a key that only they have: whoever may push can write a ref, and not what it says.

A state decides which programs run beside the agents, what was approved, and who asked for it. A token that may push
and has no secret of the repository, such as that of another workflow's job, must not decide that. The key is made
from the input `state_key`, or from the API key where nobody can guess that, so that nobody has to keep a second
secret. Another key finds states that it does not know, and begins them anew, unless the earlier one is given too. A
job with an identity in place of both has nothing that outlives it: it keeps no state, and reads none.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field
from typing import Final, Self

_PURPOSE: Final = b"claude-pool: the state that jobs keep in refs"
_DIGEST: Final = "sha256"
SHORTEST_KEY: Final = 32
"""Characters: everybody who can read the repository has signed states to try shorter ones on."""


class NotSigned(Exception):
    """Content was not signed with this key, under this name."""


@dataclass(frozen=True, slots=True)
class StateKey:
    """The key under which the jobs of a repository know their states."""

    secret: bytes = field(default=b"", repr=False)
    """Empty: nothing is signed, and nothing that is signed can be read."""
    earlier: tuple[bytes, ...] = field(default=(), repr=False)
    """Keys that signed before this one, whose states are good still."""

    @classmethod
    def of(cls, given: str, *earlier: str) -> Self:
        """The key that goes with a secret, from which nobody gets that one back."""
        newest, *others = (
            hmac.digest(each.strip().encode(), _PURPOSE, _DIGEST) for each in (given, *earlier)
        )
        return cls(newest, tuple(others))

    def signed(self, name: str, content: bytes) -> bytes:
        """The content with its signature in front. `name`: where it will stand; it is good nowhere else."""
        return _signature(self.secret, name, content) + b"\n" + content if self.secret else content

    def verified(self, name: str, stored: bytes) -> bytes:
        """The content again. Raises NotSigned."""
        if not self.secret:
            return stored
        said, _, content = stored.partition(b"\n")
        known = [_signature(each, name, content) for each in (self.secret, *self.earlier)]
        if not any(hmac.compare_digest(said, each) for each in known):
            raise NotSigned
        return content


def keys_in(given: str) -> list[str]:
    """The keys of an input: one a line, the newest first, or one that has several lines.

    Lines are keys where nobody could guess any of them: the first line of a private key is known to everybody.
    """
    lines = [line.strip() for line in given.splitlines() if line.strip()]
    whole = given.strip()
    if any(line.startswith("-----") or len(line) < SHORTEST_KEY for line in lines):
        return [whole]
    return lines if len(lines) < 2 else [*lines, whole]  # the whole signed before lines were keys


def _signature(secret: bytes, name: str, content: bytes) -> bytes:
    return hmac.digest(secret, name.encode() + b"\0" + content, _DIGEST).hex().encode()
