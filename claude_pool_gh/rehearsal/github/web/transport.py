"""git's smart HTTP protocol through `git http-backend`, with tokens checked first."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass

from aiohttp import web

from claude_pool_gh.rehearsal.github.acts import pushes
from claude_pool_gh.rehearsal.github.errors import RefusedError
from claude_pool_gh.rehearsal.github.state.git import MAY_WORKFLOWS, environment
from claude_pool_gh.rehearsal.github.state.installations import Token
from claude_pool_gh.rehearsal.github.state.people import ROLES
from claude_pool_gh.rehearsal.github.state.repository import Repository
from claude_pool_gh.rehearsal.github.web.access import sender
from claude_pool_gh.rehearsal.github.web.faults import Moment, Phase, Reset, Respond, Stall
from claude_pool_gh.rehearsal.github.web.front import Front, cut
from claude_pool_gh.rehearsal.github.web.journal import Request

CHALLENGE = {"WWW-Authenticate": 'Basic realm="GitHub"'}
ROUTE = "/{owner}/{repo}.git"


class _CutError(Exception):
    """The connection is to be reset."""


@dataclass(slots=True)
class Transport:
    """Serves clones, fetches and pushes of every repository."""

    front: Front

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Answer one request of a git client."""
        info = request.match_info
        tail = info["tail"]
        service = request.query.get("service", "") if tail == "info/refs" else tail
        token: Token | None = None
        status: int | None = None
        try:
            token, repository = self._admit(request, f"{info['owner']}/{info['repo']}", service)
            response = await self._exchange(request, repository, token, tail, service)
            status = response.status
        except RefusedError as refused:
            status = refused.status
            headers = CHALLENGE if status == 401 else {}
            response = web.Response(status=status, text=refused.message, headers=headers)
        except _CutError:
            cut(request)
            response = web.Response(status=500)
        self._note(request, token, status, service)
        return response

    def _note(
        self, request: web.Request, token: Token | None, status: int | None, service: str
    ) -> None:
        who, key = (None, None) if token is None else (token.user.login, token.id)
        route, now = f"{ROUTE}/{service}", self.front.world.site.now()
        self.front.requests.append(
            Request(request.method, request.path, route, status, who, key, now)
        )
        self.front.world.site.changed()

    def _admit(self, request: web.Request, name: str, service: str) -> tuple[Token, Repository]:
        token, _ = sender(self.front.world, request.headers)
        repository = self.front.world.repository(name)
        if token is None:
            raise RefusedError(401, "Bad credentials")
        if repository is None or not token.sees(repository):
            raise RefusedError(404, "Repository not found.")
        writes = service == "git-receive-pack"
        if not token.may("contents", "write" if writes else "read"):
            raise RefusedError(403, f"Permission to {name}.git denied to {token.user.login}.")
        if (
            writes
            and token.permissions is None
            and ROLES.index(repository.role(token.user)) < ROLES.index("write")
        ):
            raise RefusedError(403, f"Permission to {name}.git denied to {token.user.login}.")
        return token, repository

    async def _exchange(
        self, request: web.Request, repository: Repository, token: Token, tail: str, service: str
    ) -> web.Response:
        body = await request.read()
        await self._strike("before", request, service, token)
        answer = await backend(repository, request, tail, body, token)
        if tail == "git-receive-pack":
            pushes.moved(repository, token.actor)
        await self._strike("after", request, service, token)
        return answer

    async def _strike(self, phase: Phase, request: web.Request, service: str, token: Token) -> None:
        moment = Moment(phase, request.method, request.path, f"{ROUTE}/{service}", b"", token.id)
        for hook in self.front.faults.hooks:
            await hook(moment)
        match self.front.faults.strike(moment):
            case Reset():
                raise _CutError
            case Respond() as respond:
                raise RefusedError(respond.status, respond.message)
            case Stall(seconds):
                await asyncio.sleep(seconds)
            case _:
                pass


async def backend(
    repository: Repository, request: web.Request, tail: str, body: bytes, token: Token
) -> web.Response:
    """Run git's own CGI program for one request; aiohttp has already unpacked a gzipped body."""
    variables = {
        **environment(repository.git.path),
        "GIT_PROJECT_ROOT": str(repository.git.path),
        "GIT_HTTP_EXPORT_ALL": "1",
        "REMOTE_USER": token.user.login,
        MAY_WORKFLOWS: "yes" if token.may("workflows", "write") else "no",
        "REQUEST_METHOD": request.method,
        "PATH_INFO": f"/{tail}",
        "QUERY_STRING": request.query_string,
        "CONTENT_TYPE": request.headers.get("Content-Type", ""),
        "CONTENT_LENGTH": str(len(body)),
        "GIT_PROTOCOL": request.headers.get("Git-Protocol", ""),
    }
    process = await asyncio.create_subprocess_exec(
        "git",
        "http-backend",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env=variables,
    )
    output, _ = await process.communicate(body)
    head, _, rest = output.partition(b"\r\n\r\n")
    headers = _headers(head)
    status = int(headers.pop("Status", "200").split()[0]) if head else 500
    return web.Response(status=status, body=rest, headers=headers)


def _headers(head: bytes) -> dict[str, str]:
    lines: list[str] = re.split(r"\r?\n", head.decode(errors="replace"))
    pairs = (line.partition(":") for line in lines if ":" in line)
    return {name.strip(): value.strip() for name, _, value in pairs}
