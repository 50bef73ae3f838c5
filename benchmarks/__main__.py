"""`make bench`: run everything, or the parts that are named, and print it."""

from __future__ import annotations

import asyncio
import sys

from benchmarks import load, overhead, road

PARTS = {
    "overhead": (overhead.measure, "A task through the pool beside the bare CLI"),
    "road": (road.measure, "One review in its parts"),
    "acknowledge": (load.acknowledge, "Webhooks while all slots wait on a slow model"),
    "first-comment": (load.first_comment, "First comment while fifty chains are on their way"),
}


def main() -> int:
    """Print every figure; the exit code says whether a limit was missed."""
    missed = 0
    for name, (measure, title) in PARTS.items():
        if len(sys.argv) > 1 and name not in sys.argv[1:]:
            continue
        print(f"\n{title}")
        for figure in asyncio.run(measure()):
            print(f"  {figure}")
            missed += figure.limit is not None and figure.value > figure.limit
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
