"""The worker thread."""

from __future__ import annotations

import sys
import threading
import time
from concurrent.futures import CancelledError

import cv2
import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed")
pytest.importorskip("coarse_loftr_msgs", reason="coarse_loftr_msgs is not built")

from sensor_msgs.msg import Image

from coarse_loftr_ros.node.matcher.inputs import Images, ReceivedImage
from coarse_loftr_ros.node.matcher.worker import Worker


class Bench:
    """A worker whose handling of each image waits for permission; images are known by stamps."""

    def __init__(self, capacity: int, error: type[BaseException] = ValueError) -> None:
        self.error = error
        self.errors: list[type[BaseException]] = []
        self.handled: list[object] = []
        self.skipped: list[int] = []
        self.failures: list[BaseException] = []
        self.started = threading.Semaphore(0)
        self.permission = threading.Semaphore(0)
        self.done = threading.Semaphore(0)
        self.worker = Worker(self.handle, capacity, self.skip, self.report, self.failures.append)

    def submit(self, stamp: int) -> None:
        self.worker.submit((ReceivedImage(0, Image(), stamp, 0.0, None, None),))

    def handle(self, images: Images) -> None:
        self.started.release()
        assert self.permission.acquire(timeout=5)
        stamp = images[0].stamp
        if stamp < 0:
            raise self.error(stamp)
        self.handled.append(stamp)
        self.done.release()

    def skip(self, images: Images) -> None:
        self.skipped.append(images[0].stamp)

    def report(self) -> None:
        self.errors.append(sys.exc_info()[0])

    def occupy(self) -> None:
        """Give it a first image and wait until it is busy with it."""
        self.submit(0)
        assert self.started.acquire(timeout=5)

    def let(self, number: int) -> None:
        for _ in range(number):
            self.permission.release()
            assert self.done.acquire(timeout=5)


def test_with_capacity_one_the_newest_wins():
    bench = Bench(1)
    bench.occupy()
    for stamp in (1, 2, 3):
        bench.submit(stamp)
    bench.let(2)
    bench.worker.stop()
    assert bench.handled == [0, 3]
    assert bench.skipped == [1, 2]


def test_a_queue_keeps_order_and_lets_the_oldest_go():
    bench = Bench(3)
    bench.occupy()
    for stamp in (1, 2, 3, 4):
        bench.submit(stamp)
    bench.let(4)
    bench.worker.stop()
    assert bench.handled == [0, 2, 3, 4]
    assert bench.skipped == [1]


def test_commands_keep_their_place_and_run_on_the_workers_thread():
    bench = Bench(3)
    bench.occupy()
    bench.submit(1)
    answer = bench.worker.command(lambda: (bench.handled.append("command"), current())[1], False)
    bench.submit(2)
    bench.let(3)
    assert answer.result(5) != current()
    bench.worker.stop()
    assert bench.handled == [0, 1, "command", 2]


@pytest.mark.parametrize(("follows", "order"), [(True, [0, 2, "it"]), (False, [0, "it", 2])])
def test_a_command_whose_image_is_let_go_takes_the_next_one_or_comes_before_it(follows, order):
    bench = Bench(1)
    bench.occupy()
    bench.submit(1)
    answer = bench.worker.command(lambda: bench.handled.append("it"), follows)
    bench.submit(2)
    bench.let(2)
    answer.result(5)
    bench.worker.stop()
    assert bench.skipped == [1]
    assert bench.handled == order


def test_commands_that_follow_an_image_keep_their_order():
    bench = Bench(1)
    bench.occupy()
    bench.submit(1)
    answers = [
        bench.worker.command(lambda n=n: bench.handled.append(n), True) for n in ("a", "b", "c")
    ]
    bench.submit(2)
    bench.submit(3)
    bench.let(2)
    answers[-1].result(5)
    bench.worker.stop()
    assert bench.handled == [0, 3, "a", "b", "c"]


def test_what_a_command_raises_goes_to_who_asked_and_the_worker_goes_on():
    bench = Bench(1)

    def fail() -> None:
        raise MemoryError("no room")

    with pytest.raises(MemoryError, match="no room"):
        bench.worker.command(fail, True).result(5)
    bench.submit(1)
    bench.let(1)
    bench.worker.stop()
    assert bench.handled == [1]


def test_commands_that_wait_at_the_end_are_cancelled():
    bench = Bench(1)
    bench.occupy()
    waiting = bench.worker.command(lambda: None, True)
    taken_back = bench.worker.command(lambda: None, True)
    assert taken_back.cancel()
    stopper = threading.Thread(target=bench.worker.stop)
    stopper.start()
    with pytest.raises(CancelledError):
        waiting.result(5)
    bench.permission.release()
    stopper.join(5)
    assert bench.worker.command(lambda: None, True).cancelled()


def test_how_long_an_image_has_been_in_work_is_known():
    bench = Bench(1)
    assert bench.worker.busy_s == 0.0
    bench.occupy()
    until(lambda: bench.worker.busy_s > 0.01)
    bench.let(1)
    until(lambda: bench.worker.busy_s == 0.0)
    bench.worker.stop()


def until(condition) -> None:
    end = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.001)


def current() -> int:
    return threading.get_ident()


def test_stop_finishes_the_image_in_work_and_forgets_the_others():
    bench = Bench(3)
    bench.occupy()
    bench.submit(1)
    stopper = threading.Thread(target=bench.worker.stop)
    stopper.start()
    while not bench.worker._stopping:
        pass
    bench.permission.release()
    stopper.join(5)
    assert not stopper.is_alive()
    bench.submit(2)
    assert bench.handled == [0]
    assert bench.skipped == []


@pytest.mark.parametrize("error", [ValueError, MemoryError, cv2.error])
def test_an_error_costs_the_image_that_raised_it_and_is_reported(error):
    bench = Bench(2, error)
    bench.submit(-1)
    bench.permission.release()
    bench.submit(1)
    bench.let(1)
    bench.worker.stop()
    assert bench.handled == [1]
    assert bench.errors == [error]
    assert bench.failures == []


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_what_is_meant_to_end_a_process_ends_the_worker_and_stop_still_returns():
    bench = Bench(1, SystemExit)
    bench.submit(-1)
    waiting = bench.worker.command(lambda: None, True)
    bench.permission.release()
    bench.worker._thread.join(5)
    assert [type(failure) for failure in bench.failures] == [SystemExit]
    assert waiting.cancelled()
    bench.worker.stop()


def test_a_capacity_of_zero_is_refused():
    with pytest.raises(ValueError, match="capacity is 0"):
        Worker(print, 0, print, print, print)
