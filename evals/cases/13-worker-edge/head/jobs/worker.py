"""The worker."""

from __future__ import annotations

import logging
from typing import Callable, Mapping

from jobs.queue import Queue

log = logging.getLogger(__name__)

Handler = Callable[[str], None]


class JobError(Exception):
    """The job cannot be done; the text is shown to its owner."""


def run_one(queue: Queue, handlers: Mapping[str, Handler]) -> bool:
    """Take a job and do it; False when there was none."""
    job = queue.take()
    if job is None:
        return False
    try:
        handlers[job.kind](job.payload)
    except JobError as error:
        queue.finish(job.id, str(error) or "failed")
    except BaseException as error:
        log.critical("job %d took the worker down", job.id)
        queue.finish(job.id, f"the worker stopped ({type(error).__name__})")
        raise
    else:
        queue.finish(job.id)
    return True


def run(queue: Queue, handlers: Mapping[str, Handler], wait: Callable[[], None]) -> None:
    """Work until the process is stopped."""
    while True:
        if not run_one(queue, handlers):
            wait()
