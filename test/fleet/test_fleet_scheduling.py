"""Which worker gets which task, and what happens when one fails."""

import shutil
from pathlib import Path

import pytest
from fleet_results import result

from coarse_loftr_ros.fleet.folder import FleetFolder
from coarse_loftr_ros.fleet.following import Outputs
from coarse_loftr_ros.fleet.manifest import environment
from coarse_loftr_ros.fleet.scheduling import KILLS, TRIES, InThisProcess, run_tasks
from coarse_loftr_ros.fleet.settings import FleetError, Settings
from coarse_loftr_ros.fleet.sources import Recording
from coarse_loftr_ros.fleet.worker import KILLED, Outcome, Task, Worker


class Pool(InThisProcess):
    """The pool of this process, which counts."""

    def __init__(self, root: Path, **options):
        super().__init__(lambda: Worker(root, Outputs(**options)))
        self.given: list[tuple[int, str]] = []

    def start(self, worker, task):
        self.given.append((worker, task.recording.name))
        super().start(worker, task)


class DeadlyPool(Pool):
    """Its workers are killed while they have the recording r0, so many times."""

    def __init__(self, root: Path, times: int):
        super().__init__(root)
        self.times = times

    def wait(self):
        worker, name = self.given[-1]
        if name != "r0" or not self.times:
            return super().wait()
        self.times -= 1
        self._task = None
        self.renew(worker)
        return worker, Outcome(KILLED, "its worker was ended (SIGKILL)")


def tasks(flight_bag, count, settings):
    taken = []

    def generate():
        for number in range(count):
            taken.append(number)
            yield Task(Recording(f"r{number}", str(flight_bag)), settings)

    return generate(), taken


def test_a_task_that_fails_is_tried_on_three_workers_and_then_recorded(flight_bag, tmp_path):
    folder, pool = FleetFolder(tmp_path), Pool(tmp_path)
    waiting, _ = tasks(flight_bag, 1, Settings(model=str(tmp_path / "gone")))
    ((_, outcome),) = run_tasks(waiting, pool, folder)
    assert outcome.status == "failed"
    assert len({worker for worker, _ in pool.given}) == len(pool.given) == TRIES
    found = result(tmp_path, "r0")
    assert found["status"] == "failed"
    assert "neither a model" in found["reason"] and "3 tries" in found["reason"]


def test_a_task_whose_worker_was_killed_waits_until_all_others_had_their_turn(flight_bag, tmp_path):
    folder, pool = FleetFolder(tmp_path), DeadlyPool(tmp_path, KILLS - 1)
    waiting, _ = tasks(flight_bag, 3, Settings())
    ended = [
        (task.recording.name, outcome.status) for task, outcome in run_tasks(waiting, pool, folder)
    ]
    assert ended == [("r1", "done"), ("r2", "done"), ("r0", "done")]
    assert [name for _, name in pool.given] == ["r0", "r1", "r2"] + ["r0"] * (KILLS - 1)


def test_a_task_that_costs_worker_after_worker_has_failed(flight_bag, tmp_path):
    folder, pool = FleetFolder(tmp_path), DeadlyPool(tmp_path, 100)
    waiting, _ = tasks(flight_bag, 1, Settings())
    ((_, outcome),) = run_tasks(waiting, pool, folder)
    assert outcome.status == "failed"
    assert len(pool.given) == KILLS
    assert result(tmp_path, "r0")["reason"] == "its worker was ended (SIGKILL) (8 tries)"


def test_tasks_are_taken_as_workers_become_idle(flight_bag, tmp_path):
    folder, pool = FleetFolder(tmp_path), Pool(tmp_path)
    waiting, taken = tasks(flight_bag, 5, Settings())
    for number, (task, outcome) in enumerate(run_tasks(waiting, pool, folder)):
        assert (task.recording.name, outcome.status) == (f"r{number}", "done")
        assert len(taken) == number + 1


def test_a_recording_that_needs_more_memory_than_a_worker_has_says_so(flight_bag, tmp_path):
    folder, pool = FleetFolder(tmp_path), Pool(tmp_path, memory_bytes=10_000_000)
    waiting, _ = tasks(flight_bag, 1, Settings())
    ((_, outcome),) = run_tasks(waiting, pool, folder)
    assert outcome.status == "unusable"
    assert "more memory than a worker has" in result(tmp_path, "r0")["reason"]


def test_a_copy_without_room_is_no_fault_of_the_recording(flight_bag, tmp_path, monkeypatch):
    import fsspec

    fsspec.filesystem("memory").put(str(flight_bag), "/room/flight.mcap")
    everywhere, scratch = shutil.disk_usage, tmp_path / "scratch"
    scratch.mkdir()

    def usage(path):
        found = everywhere(path)
        return found._replace(free=1000) if scratch in Path(path).parents else found

    monkeypatch.setattr(shutil, "disk_usage", usage)
    pool = InThisProcess(lambda: Worker(tmp_path, Outputs(), scratch))
    task = Task(Recording("r0", "memory://room/flight.mcap"), Settings())
    ((_, outcome),) = run_tasks([task], pool, FleetFolder(tmp_path))
    assert outcome.status == "failed"  # which --retry does again
    assert f"{scratch} has room for 0.0 GB" in result(tmp_path, "r0")["reason"]
    assert not list(scratch.iterdir())


def test_a_node_of_other_versions_is_refused(flight_bag, tmp_path):
    pool = InThisProcess(
        lambda: Worker(tmp_path, Outputs(), expected={**environment(), "numpy": "0.1"})
    )
    waiting, _ = tasks(flight_bag, 1, Settings())
    with pytest.raises(FleetError, match=r"numpy was 0\.1 .*every node"):
        list(run_tasks(waiting, pool, FleetFolder(tmp_path)))


def test_one_driver_at_a_time_writes_a_folder(tmp_path):
    with (
        FleetFolder(tmp_path).held(),
        pytest.raises(FleetError, match="another"),
        FleetFolder(tmp_path).held(),
    ):
        pass


def test_results_that_are_there_already_stay(tmp_path):
    folder = FleetFolder(tmp_path)
    for text in ("first", "second"):
        with folder.writing("r", "s") as new:
            (new / "result.json").write_text(f'"{text}"')
    assert folder.result("r", "s") == "first"
    with pytest.raises(RuntimeError), folder.writing("r", "t"):
        raise RuntimeError
    assert folder.result("r", "t") is None
    assert not list((tmp_path / ".unfinished").iterdir())
