"""Proofs of who a client is: bearer tokens and App JWTs."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping

import jwt

from claude_pool_gh.rehearsal.github.errors import RefusedError, unreachable_repository
from claude_pool_gh.rehearsal.github.state.installations import Installation, Token
from claude_pool_gh.rehearsal.github.state.people import App, User
from claude_pool_gh.rehearsal.github.state.world import World

JWT_SECONDS = 600
JWT_LEEWAY = 60
STRENGTH = {"read": 1, "write": 2, "admin": 3}


def add(world: World, token: Token) -> Token:
    """Let this token in from now on."""
    world.tokens[token.secret] = token
    return token


def revoke(world: World, token: Token) -> None:
    """Let it in no longer."""
    world.tokens.pop(token.secret, None)


def revoke_all(world: World, installation: Installation) -> None:
    """Let no token of an installation in any longer."""
    for token in [one for one in world.tokens.values() if one.installation is installation]:
        revoke(world, token)


def find(world: World, secret: str) -> Token:
    """The token behind a secret. Raises RefusedError, GitHub's one answer to every bad one."""
    token = world.tokens.get(secret)
    if token is None or (token.expires_at is not None and token.expires_at <= world.site.now()):
        raise RefusedError(401, "Bad credentials")
    if token.installation is not None and token.installation.suspended:
        raise RefusedError(403, "This installation has been suspended")
    return token


def static_token(
    world: World,
    user: User,
    permissions: Mapping[str, str] | None,
    only: frozenset[int] | None,
    *,
    quiet: bool,
) -> Token:
    """A token without an end: a workflow's own (`quiet`), or a person's with all that their role allows."""
    if quiet:
        permissions = {"metadata": "read", **(permissions or {"contents": "read"})}
    kind = "ghs" if quiet else "ghp"
    secret = f"{kind}_{secrets.token_hex(18)}"
    return add(
        world,
        Token(f"{kind}-{world.site.ids.next()}", secret, user, permissions, only, quiet=quiet),
    )


def installation_token(
    world: World,
    installation: Installation,
    permissions: Mapping[str, str] | None,
    repositories: Iterable[int] | None,
) -> Token:
    """A token for an installation, narrowed but never widened."""
    if installation.suspended:
        raise RefusedError(403, "This installation has been suspended")
    has = dict(installation.permissions)
    for name, level in (permissions or {}).items():
        if STRENGTH.get(level, 9) > STRENGTH.get(has.get(name, ""), 0):
            raise RefusedError(
                422, "The permissions requested are not granted to this installation."
            )
    chosen = None if repositories is None else frozenset(repositories)
    if chosen is not None and not chosen <= {one.id for one in installation.repositories}:
        raise unreachable_repository()
    narrowed = {"metadata": "read", **permissions} if permissions else has
    site = world.site
    return add(
        world,
        Token(
            id=f"ghs-{site.ids.next()}",
            secret=_installation_secret(installation.app, site.now()),
            user=installation.app.bot,
            permissions=narrowed,
            repositories=chosen,
            expires_at=site.now() + site.limits.token_seconds,
            installation=installation,
            app=installation.app,
        ),
    )


def _installation_secret(app: App, now: float) -> str:
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
            options={
                "verify_exp": False,
                "verify_iat": False,
                "verify_nbf": False,
                "verify_sub": False,
            },
        )
        issued, expires = int(claims["iat"]), int(claims["exp"])
    except (jwt.PyJWTError, KeyError, TypeError, ValueError):
        raise RefusedError(401, "A JSON web token could not be decoded") from None
    if issued > now + JWT_LEEWAY:
        raise RefusedError(
            401, "'Issued at' claim ('iat') must be an Integer representing a time in the past"
        )
    if expires <= now:
        raise RefusedError(
            401, "'Expiration time' claim ('exp') must be a numeric value in the future"
        )
    if expires > now + JWT_SECONDS or expires - issued > JWT_SECONDS + JWT_LEEWAY:
        raise RefusedError(401, "'Expiration time' claim ('exp') is too far in the future")
    return app


def _issuer(apps: Mapping[int, App], text: str) -> App:
    try:
        issuer = str(jwt.decode(text, options={"verify_signature": False})["iss"])
    except (jwt.PyJWTError, KeyError):
        raise RefusedError(401, "A JSON web token could not be decoded") from None
    for app in apps.values():
        if issuer in (str(app.id), app.client_id):
            return app
    raise RefusedError(404, "Integration not found")
