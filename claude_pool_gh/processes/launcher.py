"""Starts a program so that it cannot outlive us, with an environment built from nothing.

Run as a script of its own, `python -IS launcher.py CONFIG ARGUMENTS...`, it imports nothing of this package, and of
the standard library only what loads in a moment: every run waits for it. Two ways, both Linux:

- `namespace`: the program is process 1 of a new PID namespace. When it or this launcher dies, the kernel kills
  every process inside, however often it forked or changed its session.
- `reaper`: this launcher adopts every orphan below it and ends them all before it ends itself.

Either way a parent-death signal ends this launcher when the server dies. Where the kernel has Landlock, the program
and all that it starts can change nothing outside the folders that it is given, whoever runs it.
"""

import ctypes
import marshal
import os
import signal
import struct
import sys
import time

CLONE_NEWNS, CLONE_NEWUSER, CLONE_NEWPID = 0x00020000, 0x10000000, 0x20000000
MS_REC, MS_PRIVATE, MS_NOSUID, MS_NODEV, MS_NOEXEC = 0x4000, 1 << 18, 2, 4, 8
PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36
PR_SET_NO_NEW_PRIVS = 38
GRACE_SECONDS = 2.0

# Landlock's system calls have the same numbers on every architecture.
CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446
RULESET_VERSION, RULE_BELOW_PATH = 1, 1
LEAST_ABI = 3
"""Before it, a file could still be cut short."""
WRITE_FILE, TRUNCATE = 1 << 1, 1 << 14
EVERY_CHANGE = WRITE_FILE | sum(1 << bit for bit in range(4, 15))
"""Write, remove, make of every kind, move between folders, truncate."""

libc = ctypes.CDLL(None, use_errno=True)


def checked(result: int, what: str) -> None:
    """Raise OSError for a failed libc call."""
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def die_with_parent(how: int, parent: int) -> None:
    """Have the kernel send `how` when our parent dies, also if it died before we asked."""
    checked(libc.prctl(PR_SET_PDEATHSIG, how, 0, 0, 0), "prctl")
    if parent and os.getppid() != parent:
        os._exit(1)


def enter_namespace() -> None:
    """Let the next child be process 1 of a PID namespace of its own."""
    user, group = os.getuid(), os.getgid()
    flags = CLONE_NEWPID | CLONE_NEWNS | (0 if user == 0 else CLONE_NEWUSER)
    checked(libc.unshare(flags), "unshare")
    if user:
        for name, text in (
            ("setgroups", "deny"),
            ("uid_map", f"{user} {user} 1"),
            ("gid_map", f"{group} {group} 1"),
        ):
            with open(f"/proc/self/{name}", "w", encoding="ascii") as file:
                file.write(text)


def mount_own_proc() -> None:
    """Show the namespace's processes in /proc, and no others."""
    checked(libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None), "make / private")
    checked(
        libc.mount(b"proc", b"/proc", b"proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, None),
        "mount /proc",
    )


def landlock() -> int:
    """The version of Landlock that this kernel offers; 0 or less where it has none."""
    return int(libc.syscall(CREATE_RULESET, None, ctypes.c_size_t(0), RULESET_VERSION))


def confine(writable: list[str]) -> None:
    """Let this process, and all that it starts, change nothing but what lies below `writable`, for ever.

    A kernel without it changes nothing: what the program may do is then held by its own tools alone.
    """
    if landlock() < LEAST_ABI:
        return
    handled = ctypes.create_string_buffer(struct.pack("=Q", EVERY_CHANGE))
    rules = libc.syscall(CREATE_RULESET, handled, ctypes.c_size_t(8), 0)
    checked(min(rules, 0), "landlock_create_ruleset")
    for path in writable:
        place = os.open(path, os.O_PATH)
        allowed = EVERY_CHANGE if os.path.isdir(path) else WRITE_FILE | TRUNCATE
        rule = ctypes.create_string_buffer(struct.pack("=Qi", allowed, place))
        checked(
            libc.syscall(ADD_RULE, rules, RULE_BELOW_PATH, rule, 0), f"landlock_add_rule {path}"
        )
        os.close(place)
    checked(libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "prctl")
    checked(libc.syscall(RESTRICT_SELF, rules, 0), "landlock_restrict_self")
    os.close(rules)


def start(
    command: list[str],
    environment: dict[str, str],
    *,
    namespace: bool,
    writable: list[str] | None = None,
) -> int:
    """Fork and exec the command; returns its process id as we see it. It may change what is `writable`; None: all."""
    parent = 0 if namespace else os.getpid()
    child = os.fork()
    if child:
        return child
    try:
        die_with_parent(signal.SIGKILL, parent)
        if namespace:
            mount_own_proc()
        if writable is not None:
            confine(writable)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        os.execve(command[0], command, environment)
    except OSError as error:
        sys.stderr.write(f"launcher: {error}\n")
    os._exit(127)


def descendants() -> list[int]:
    """Every process below us, by walking /proc."""
    parents = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                with open(f"/proc/{entry}/stat", encoding="ascii", errors="replace") as file:
                    parents[int(entry)] = int(file.read().rpartition(")")[2].split()[1])
            except (OSError, ValueError, IndexError):
                continue
    below = {os.getpid()}
    while found := {process for process, parent in parents.items() if parent in below} - below:
        below |= found
    return sorted(below - {os.getpid()})


def end_all() -> None:
    """Kill and reap every descendant, again until none is left: one may fork while we look."""
    while True:
        for process in descendants():
            try:
                os.kill(process, signal.SIGKILL)
            except ProcessLookupError:
                continue
        try:
            while os.waitpid(-1, os.WNOHANG) != (0, 0):
                pass
        except ChildProcessError:
            return
        time.sleep(0.002)


def wait_for(child: int) -> int:
    """Wait for the child's end, reaping adopted orphans; on SIGTERM end it, gently first. Returns exit status."""
    deadline: float | None = None
    signals = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD}
    while True:
        try:
            while True:
                process, status = os.waitpid(-1, os.WNOHANG)
                if process == child:
                    return os.waitstatus_to_exitcode(status)
                if process == 0:
                    break
        except ChildProcessError:
            return 1
        left = None if deadline is None else max(0.0, deadline - time.monotonic())
        if left == 0.0:
            os.kill(child, signal.SIGKILL)
        got = signal.sigtimedwait(signals, 60.0 if left is None else max(left, 0.05))
        if got is not None and got.si_signo != signal.SIGCHLD and deadline is None:
            deadline = time.monotonic() + GRACE_SECONDS
            os.kill(child, signal.SIGTERM)


def probe() -> int:
    """Exit 0 when a PID namespace with its own /proc can be made here."""
    try:
        enter_namespace()
    except OSError:
        return 1
    child = start(["/bin/true"], {}, namespace=True)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def main() -> int:
    """Start what the configuration says and end with its exit code."""
    if sys.argv[1] == "--probe":
        return probe()
    if sys.argv[1] == "--landlock":
        return 0 if landlock() >= LEAST_ABI else 1
    with open(sys.argv[1], "rb") as file:
        config = marshal.load(file)  # noqa: S302 - written by our own process, for us alone
    namespace = config["mode"] == "namespace"
    signal.pthread_sigmask(
        signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD}
    )
    if os.getpgrp() != os.getpid():
        os.setsid()  # Ctrl-C in a terminal is for the command, which decides what ends; the terminal is its own too
    die_with_parent(signal.SIGKILL if namespace else signal.SIGTERM, config["parent"])
    with open(config["pid_file"], "w", encoding="ascii") as file:
        file.write(str(os.getpid()))
    if namespace:
        enter_namespace()
    else:
        checked(libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), "prctl")
    command = [config["program"], *sys.argv[2:]]
    child = start(command, config["environment"], namespace=namespace, writable=config["writable"])
    status = wait_for(child)
    if not namespace:
        end_all()
    return status if status >= 0 else 128 - status


if __name__ == "__main__":
    sys.exit(main())
