"""Commands for operators."""

from __future__ import annotations

import argparse
import os
import sqlite3

from sessions.store import SessionStore


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="sessions")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("count", help="how many sessions there are")
    parser.parse_args(argv)
    connection = sqlite3.connect(os.environ.get("SESSIONS_DB", "sessions.db"))
    try:
        print(SessionStore(connection).count())
    finally:
        connection.close()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
