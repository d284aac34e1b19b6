"""The worker thread."""

from __future__ import annotations

import threading

import pytest

from coarse_loftr_ros.node.worker import Worker


class Bench:
    """A worker whose handling of each item waits for permission."""

    def __init__(self, capacity: int) -> None:
        self.handled: list[object] = []
        self.skipped: list[int] = []
        self.failures: list[BaseException] = []
        self.started = threading.Semaphore(0)
        self.permission = threading.Semaphore(0)
        self.done = threading.Semaphore(0)
        self.worker = Worker(self.handle, capacity, self.skipped.append, self.failures.append)

    def handle(self, item: int) -> None:
        self.started.release()
        assert self.permission.acquire(timeout=5)
        if item < 0:
            raise ValueError(item)
        self.handled.append(item)
        self.done.release()

    def occupy(self) -> None:
        """Give it a first item and wait until it is busy with it."""
        self.worker.submit(0)
        assert self.started.acquire(timeout=5)

    def let(self, number: int) -> None:
        for _ in range(number):
            self.permission.release()
            assert self.done.acquire(timeout=5)


def test_with_capacity_one_the_newest_wins():
    bench = Bench(1)
    bench.occupy()
    for item in (1, 2, 3):
        bench.worker.submit(item)
    bench.let(2)
    bench.worker.stop()
    assert bench.handled == [0, 3]
    assert bench.skipped == [1, 2]


def test_a_queue_keeps_order_and_lets_the_oldest_go():
    bench = Bench(3)
    bench.occupy()
    for item in (1, 2, 3, 4):
        bench.worker.submit(item)
    bench.let(4)
    bench.worker.stop()
    assert bench.handled == [0, 2, 3, 4]
    assert bench.skipped == [1]


def test_commands_go_first_and_on_the_workers_thread():
    bench = Bench(3)
    bench.occupy()
    bench.worker.submit(1)
    threads = []
    bench.worker.command(lambda: (bench.handled.append("command"), threads.append(current())))
    bench.let(2)
    bench.worker.stop()
    assert bench.handled == [0, "command", 1]
    assert threads != [current()]


def current() -> int:
    return threading.get_ident()


def test_stop_finishes_the_item_in_work_and_forgets_the_others():
    bench = Bench(3)
    bench.occupy()
    bench.worker.submit(1)
    stopper = threading.Thread(target=bench.worker.stop)
    stopper.start()
    while not bench.worker._stopping:
        pass
    bench.permission.release()
    stopper.join(5)
    assert not stopper.is_alive()
    bench.worker.submit(2)
    assert bench.handled == [0]
    assert bench.skipped == []


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_defect_is_reported_and_stop_still_returns():
    bench = Bench(1)
    bench.worker.submit(-1)
    bench.permission.release()
    bench.worker._thread.join(5)
    assert [type(failure) for failure in bench.failures] == [ValueError]
    bench.worker.stop()


def test_a_capacity_of_zero_is_refused():
    with pytest.raises(ValueError, match="capacity is 0"):
        Worker(lambda item: None, 0, lambda item: None, lambda failure: None)
