"""Commands for operators."""

from __future__ import annotations

import argparse
import os
import sqlite3
import sys
from datetime import timedelta

from sessions.idle import end_idle
from sessions.store import SessionStore


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="sessions")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("count", help="how many sessions there are")
    idle = commands.add_parser("end-idle", help="sign out who was not seen for a while")
    idle.add_argument("--minutes", type=int, default=30)
    args = parser.parse_args(argv)
    connection = sqlite3.connect(os.environ.get("SESSIONS_DB", "sessions.db"))
    try:
        store = SessionStore(connection)
        if args.command == "end-idle":
            print(end_idle(store, timedelta(minutes=args.minutes)))
        else:
            print(store.count())
    except ValueError as error:
        print(f"sessions: {error}", file=sys.stderr)
        return 2
    finally:
        connection.close()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
