"""What clients prove who they are with: App JWTs and bearer tokens."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field

import jwt

from claude_pool_gh.rehearsal.github.errors import RefusedError
from claude_pool_gh.rehearsal.github.people import Actor, App, Installation, User

JWT_SECONDS = 600
JWT_LEEWAY = 60


@dataclass(frozen=True, slots=True, eq=False)
class Token:
    """A bearer token: whose it is, what it may do, where, and until when.

    `repositories` None means every repository that the user or installation may see.
    """

    id: str
    secret: str
    user: User
    permissions: Mapping[str, str] | None
    repositories: frozenset[int] | None
    expires_at: float | None = None
    installation: Installation | None = None
    app: App | None = None
    quiet: bool = False

    @property
    def actor(self) -> Actor:
        """Who acts when this token is used."""
        return Actor(self.user, self.app, self.quiet)

    def may(self, permission: str, level: str) -> bool:
        """Whether the token carries a permission at this level; a person's own token carries all."""
        if self.permissions is None:
            return True
        has = self.permissions.get(permission)
        return has in (("write", "admin") if level == "write" else ("read", "write", "admin"))


@dataclass(slots=True)
class Tokens:
    """Every token handed out and not revoked."""

    live: dict[str, Token] = field(default_factory=dict)

    def add(self, token: Token) -> Token:
        """Let this token in from now on."""
        self.live[token.secret] = token
        return token

    def revoke(self, token: Token) -> None:
        """Let it in no longer."""
        self.live.pop(token.secret, None)

    def find(self, secret: str, now: float) -> Token:
        """The token behind a secret, or GitHub's one answer to every bad one."""
        token = self.live.get(secret)
        if token is None or (token.expires_at is not None and token.expires_at <= now):
            raise RefusedError(401, "Bad credentials")
        if token.installation is not None and token.installation.suspended:
            raise RefusedError(403, "This installation has been suspended")
        return token


def installation_secret(app: App, now: float) -> str:
    """A token in the long form: no fixed length, with dots, dashes and underscores."""
    claims = {"iat": int(now), "jti": secrets.token_hex(8), "sub": secrets.token_urlsafe(120)}
    return f"ghs_{app.id}_{jwt.encode(claims, secrets.token_bytes(32), algorithm='HS256')}"


def app_of_jwt(apps: Mapping[int, App], text: str, now: float) -> App:
    """The App that signed this JWT, held to GitHub's rules about its times."""
    app = _issuer(apps, text)
    try:
        claims = jwt.decode(
            text,
            app.public_key,
            algorithms=["RS256"],
            options={"verify_exp": False, "verify_iat": False, "verify_nbf": False, "verify_sub": False},
        )
        issued, expires = int(claims["iat"]), int(claims["exp"])
    except (jwt.PyJWTError, KeyError, TypeError, ValueError):
        raise RefusedError(401, "A JSON web token could not be decoded") from None
    if issued > now + JWT_LEEWAY:
        raise RefusedError(
            401, "'Issued at' claim ('iat') must be an Integer representing a time in the past"
        )
    if expires <= now:
        raise RefusedError(401, "'Expiration time' claim ('exp') must be a numeric value in the future")
    if expires > now + JWT_SECONDS or expires - issued > JWT_SECONDS + JWT_LEEWAY:
        raise RefusedError(401, "'Expiration time' claim ('exp') is too far in the future")
    return app


def _issuer(apps: Mapping[int, App], text: str) -> App:
    try:
        issuer = str(jwt.decode(text, options={"verify_signature": False})["iss"])
    except (jwt.PyJWTError, KeyError):
        raise RefusedError(401, "A JSON web token could not be decoded") from None
    for app in apps.values():
        if issuer in (str(app.id), client_id(app)):
            return app
    raise RefusedError(404, "Integration not found")


def client_id(app: App) -> str:
    """The App's other name, which may stand in `iss` too."""
    return f"Iv23li{app.id:014d}"
