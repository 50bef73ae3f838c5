import pytest

from jobs.queue import Queue
from jobs.worker import JobError, run_one


def fail(payload):
    raise JobError("no " + payload)


def test_done_and_failed():
    queue = Queue(":memory:")
    good, bad = queue.put("print", "x"), queue.put("fail", "x")
    handlers = {"print": lambda payload: None, "fail": fail}
    assert run_one(queue, handlers) and run_one(queue, handlers)
    assert (queue.state(good), queue.state(bad)) == ("done", "failed")
    assert not run_one(queue, handlers)


@pytest.mark.parametrize("stop", [KeyboardInterrupt, SystemExit, MemoryError])
def test_a_stopped_worker_leaves_no_running_job(stop):
    def handler(payload):
        raise stop

    queue = Queue(":memory:")
    job = queue.put("stop", "x")
    with pytest.raises(stop):
        run_one(queue, {"stop": handler})
    assert queue.state(job) == "failed"


def test_a_bug_ends_the_worker():
    queue = Queue(":memory:")
    queue.put("bug", "x")
    with pytest.raises(ZeroDivisionError):
        run_one(queue, {"bug": lambda payload: 1 / 0})
