"""Tasks on workers: which worker gets which task next, and what happens when one fails."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

from coarse_loftr_ros.fleet.folder import FleetFolder
from coarse_loftr_ros.fleet.settings import FleetError
from coarse_loftr_ros.fleet.worker import (
    FAILED,
    MISFIT,
    NO_ROOM,
    Outcome,
    Task,
    Worker,
    record_failure,
)

__all__ = ["TRIES", "InThisProcess", "Pool", "run_tasks"]

TRIES = 3


class Pool(Protocol):
    """Workers that each do one task at a time."""

    @property
    def idle(self) -> list[int]:
        """Numbers of the workers that have nothing to do."""
        ...

    def start(self, worker: int, task: Task) -> None:
        """Let an idle worker do a task."""
        ...

    def wait(self) -> tuple[int, Outcome]:
        """Wait until a worker is idle again; its number, and what became of its task."""
        ...

    def renew(self, worker: int) -> int:
        """End an idle worker and start another one; its number."""
        ...


class InThisProcess:
    """One worker, without Ray; see ``Pool``.

    Args:
        make: makes the worker.
    """

    def __init__(self, make: Callable[[], Worker]) -> None:
        self._make = make
        self._worker = make()
        self._number = 0
        self._task: Task | None = None

    @property
    def idle(self) -> list[int]:
        """See ``Pool``."""
        return [] if self._task is not None else [self._number]

    def start(self, worker: int, task: Task) -> None:
        """See ``Pool``."""
        self._task = task

    def wait(self) -> tuple[int, Outcome]:
        """See ``Pool``; the task is done here."""
        task, self._task = self._task, None
        return self._number, self._worker.work(task)

    def renew(self, worker: int) -> int:
        """See ``Pool``."""
        self._worker.close()
        self._worker = self._make()
        self._number += 1
        return self._number


@dataclass
class _Waiting:
    task: Task
    failed_on: set[int] = field(default_factory=set)
    tries: int = 0


def run_tasks(
    tasks: Iterable[Task], pool: Pool, folder: FleetFolder
) -> Iterator[tuple[Task, Outcome]]:
    """Do tasks, as many at a time as there are workers; what became of each as it is known.

    No more tasks are taken than workers are idle, so memory does not grow with their number. A
    task that fails is tried twice more, each time on another worker, and then recorded as failed.

    Args:
        tasks: in any order.
        pool: of workers.
        folder: of the results.

    Raises:
        FleetError: when the disk of the results is full, or a node has other versions.
    """
    again: deque[_Waiting] = deque()
    under_way: dict[int, _Waiting] = {}
    fresh = iter(tasks)
    while True:
        for worker in pool.idle:
            waiting = again.popleft() if again else None
            if waiting is None:
                task = next(fresh, None)
                if task is None:
                    break
                waiting = _Waiting(task)
            if worker in waiting.failed_on:
                worker = pool.renew(worker)
            pool.start(worker, waiting.task)
            under_way[worker] = waiting
        if not under_way:
            return
        worker, outcome = pool.wait()
        waiting = under_way.pop(worker)
        if outcome.status == NO_ROOM:
            raise FleetError(
                f"{folder.root} has no room for the results of {waiting.task.name} "
                f"({outcome.reason}): make room, then 'coarse-loftr fleet --resume {folder.root}'"
            )
        if outcome.status == MISFIT:
            raise FleetError(
                f"{outcome.reason}: every node needs the driver's versions, or results differ"
            )
        if outcome.status == FAILED:
            waiting.tries += 1
            waiting.failed_on.add(worker)
            if waiting.tries < TRIES:
                again.append(waiting)
                continue
            try:
                record_failure(folder, waiting.task, f"{outcome.reason} ({TRIES} tries)")
            except OSError as error:
                raise FleetError(f"{folder.root} cannot be written: {error.strerror}") from error
        yield waiting.task, outcome
