"""Tasks on workers: which worker gets which task next, and what happens when one fails."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Protocol

from coarse_loftr_ros.fleet.folder import FleetFolder
from coarse_loftr_ros.fleet.settings import FleetError
from coarse_loftr_ros.fleet.worker import (
    FAILED,
    KILLED,
    MISFIT,
    NO_ROOM,
    Outcome,
    Task,
    Worker,
    record_failure,
)

__all__ = ["KILLS", "TRIES", "InThisProcess", "Pool", "run_tasks"]

TRIES = 3
KILLS = 8
"""Workers that a task may lose: whoever kills them is rarely the recording, and may be."""


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

    def close(self) -> None:
        """End all workers."""
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

    def close(self) -> None:
        """See ``Pool``."""
        self._worker.close()


@dataclass
class _Waiting:
    task: Task
    failed_on: set[int] = field(default_factory=set)
    tries: int = 0
    kills: int = 0


def run_tasks(
    tasks: Iterable[Task], pool: Pool, folder: FleetFolder
) -> Iterator[tuple[Task, Outcome]]:
    """Do tasks, as many at a time as there are workers; what became of each as it is known.

    No more tasks are taken than workers are idle, so memory does not grow with their number. A
    task that fails is tried twice more, each time on another worker, and then recorded as failed.
    One whose worker was killed waits until all others had their turn, so that what kills workers
    again and again does not hit it every time.

    Args:
        tasks: in any order.
        pool: of workers.
        folder: of the results.

    Raises:
        FleetError: when the disk of the results is full, or a node has other versions.
    """
    again: deque[_Waiting] = deque()
    killed: deque[_Waiting] = deque()
    under_way: dict[int, _Waiting] = {}
    fresh = iter(tasks)
    while True:
        for worker in pool.idle:
            waiting = _next(again, fresh, killed)
            if waiting is None:
                break
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
        if outcome.status == KILLED:
            waiting.kills += 1
            if waiting.kills < KILLS:
                killed.append(waiting)
                continue
            outcome = replace(outcome, status=FAILED)
            waiting.tries = waiting.kills
        elif outcome.status == FAILED:
            waiting.tries += 1
            waiting.failed_on.add(worker)
            if waiting.tries < TRIES:
                again.append(waiting)
                continue
        if outcome.status == FAILED:
            try:
                reason = f"{outcome.reason} ({waiting.tries} tries)"
                record_failure(folder, waiting.task, reason)
            except OSError as error:
                raise FleetError(f"{folder.root} cannot be written: {error.strerror}") from error
        yield waiting.task, outcome


def _next(
    again: deque[_Waiting], fresh: Iterator[Task], killed: deque[_Waiting]
) -> _Waiting | None:
    """The task whose turn it is; ``None`` when all are done or under way."""
    if again:
        return again.popleft()
    task = next(fresh, None)
    if task is not None:
        return _Waiting(task)
    return killed.popleft() if killed else None
