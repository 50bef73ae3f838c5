"""Becomes bubblewrap, as a user without rights and under limits.

Run as a script of its own, `python -IS enter.py CONFIG STATUS-FD`, so that the server's own process is never the one
that gives rights up. It imports nothing of this package.
"""

import ctypes
import marshal
import os
import resource
import signal
import sys

PR_SET_PDEATHSIG = 1


def main() -> None:
    """Do as the configuration says; returns only by raising OSError."""
    with open(sys.argv[1], "rb") as file:
        config = marshal.load(file)  # noqa: S302 - written by our own process, for us alone
    launcher = os.getppid()
    with open("/proc/self/oom_score_adj", "w", encoding="utf-8") as file:
        file.write("1000")  # where memory runs out, this goes before the server
    if config["user"]:
        os.setgroups([])
        os.setresgid(config["user"], config["user"], config["user"])
        os.setresuid(config["user"], config["user"], config["user"])
    for name, most in config["limits"].items():
        which = getattr(resource, name)
        _, hard = resource.getrlimit(which)
        value = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(which, (value, value))
    # Once more, since the change of user has undone what the launcher asked for.
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != launcher:
        os._exit(1)
    arguments = [part if isinstance(part, str) else held(part) for part in config["arguments"]]
    command = [config["program"], "--json-status-fd", sys.argv[2], *arguments]
    os.execve(command[0], command, {})


def held(content: bytes) -> str:
    """The number of a descriptor that holds these bytes."""
    number = os.memfd_create("content", 0)
    os.write(number, content)
    os.lseek(number, 0, os.SEEK_SET)
    return str(number)


if __name__ == "__main__":
    main()
