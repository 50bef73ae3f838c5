"""Command line."""

from __future__ import annotations

import argparse
import json
import sys

from logsum.summary import LEVELS, Summary, summarise


def as_text(summary: Summary) -> str:
    rows = [f"{name:8}{summary.levels[name]:>8}" for name in (*LEVELS, "other")]
    return "\n".join([*rows, f"{'total':8}{summary.lines:>8}"])


def as_json(summary: Summary) -> str:
    levels = {name: summary.levels[name] for name in (*LEVELS, "other")}
    return json.dumps({"total": summary.lines, "levels": levels})


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="logsum", description="Count levels in a log file.")
    parser.add_argument("file")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    args = parser.parse_args(argv)
    try:
        with open(args.file, encoding="utf-8", errors="replace") as source:
            summary = summarise(source)
    except OSError as error:
        print(f"logsum: {error}", file=sys.stderr)
        return 1
    print(as_json(summary) if args.json else as_text(summary))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
