"""The Action's third step. Whatever happens, its log ends in a sentence for people, and never in a traceback."""

from __future__ import annotations

import asyncio
import gc
import sys
import traceback
from pathlib import Path

from claude_pool_gh.action import protocol
from claude_pool_gh.action.arriving import wait_for_packages
from claude_pool_gh.action.stop import Stop


def main() -> int:
    """Run the step; its exit code."""
    stop = Stop()
    stop.listen()
    wait_for_packages(Path(sys.prefix))
    try:
        gc.disable()  # of what is loaded nothing is garbage, and looking for it costs a seventh of the time
        from claude_pool_gh.action.run import run  # noqa: PLC0415 - signals must be heard while this is loaded

        gc.freeze()
        gc.enable()
        return asyncio.run(run(stop))
    except Exception as error:  # noqa: BLE001 - the last line of defence: a runner's log is public
        where = traceback.extract_tb(error.__traceback__)[-1]
        place = f"{where.filename.rpartition('/')[2]}, line {where.lineno}"
        protocol.error(
            f"An error on claude-pool's own side ({type(error).__name__} in {place}): run the job again, and if it "
            "stays, report it with this line"
        )
        # no outcome: the last step ends what was begun, and tells what it has cost
        protocol.output(crashed="true")
        return 1
    finally:
        stop.ignore()


if __name__ == "__main__":
    sys.exit(main())
