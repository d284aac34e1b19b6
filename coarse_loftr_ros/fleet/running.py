"""A fleet from its manifest to its results."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from coarse_loftr_ros.fleet.folder import LOCK, FleetFolder
from coarse_loftr_ros.fleet.following import Outputs
from coarse_loftr_ros.fleet.manifest import Manifest, read_manifest
from coarse_loftr_ros.fleet.scheduling import InThisProcess, Pool, run_tasks
from coarse_loftr_ros.fleet.settings import FleetError
from coarse_loftr_ros.fleet.worker import DONE, FAILED, UNUSABLE, Outcome, Task, Worker

__all__ = ["Progress", "Resources", "prepare", "run_fleet"]


@dataclass(frozen=True)
class Resources:
    """What a fleet runs on.

    Attributes:
        workers: how many; 0 for this process without Ray; ``None`` for as many as there is room.
        address: of a Ray cluster, or ``auto``; ``None`` starts one for the time being.
        gpus: of each worker.
        memory_bytes: of each worker; ``None`` for no limit.
        scratch: folder for copies of remote recordings.
    """

    workers: int | None = None
    address: str | None = None
    gpus: float = 0.0
    memory_bytes: int | None = None
    scratch: Path | None = None


@dataclass
class Progress:
    """How far a fleet is.

    Attributes:
        total: tasks: recordings times settings.
        before: of them done before this run.
        done: in this run, whatever became of them.
        unusable: recordings that cannot be used, also before this run.
        failed: tasks that failed, also before this run.
        images: that were read in this run.
        work_s: seconds that tasks took, together.
        stages: seconds of each stage, together.
        bytes_read: of recordings.
        bytes_written: of results.
    """

    total: int
    before: int = 0
    done: int = 0
    unusable: int = 0
    failed: int = 0
    images: int = 0
    work_s: float = 0.0
    stages: dict[str, float] = field(default_factory=dict)
    bytes_read: int = 0
    bytes_written: int = 0
    started: float = field(default_factory=time.monotonic)

    def add(self, outcome: Outcome) -> None:
        """Count a task."""
        self.done += 1
        self.unusable += outcome.status == UNUSABLE
        self.failed += outcome.status == FAILED
        self.images += outcome.images
        self.work_s += outcome.seconds
        self.bytes_read += outcome.bytes_read
        self.bytes_written += outcome.bytes_written
        for stage, seconds in outcome.stages.items():
            self.stages[stage] = self.stages.get(stage, 0.0) + seconds

    @property
    def seconds(self) -> float:
        """Since the run began."""
        return time.monotonic() - self.started

    @property
    def images_per_second(self) -> float:
        """In this run."""
        return self.images / max(self.seconds, 1e-9)

    @property
    def eta_s(self) -> float | None:
        """Seconds that are left at the mean rate so far; ``None`` before the first task is done."""
        left = self.total - self.before - self.done
        return self.seconds / self.done * left if self.done else None


def prepare(folder: FleetFolder, wanted: Manifest, *, force: bool) -> None:
    """Make a folder that of a new fleet.

    Raises:
        FleetError: when it has results already and they are not to be replaced.
    """
    if not folder.manifest.exists():
        if (
            folder.root.is_dir()
            and any(p.name != LOCK for p in folder.root.iterdir())
            and not force
        ):
            raise FleetError(f"{folder.root} has other files in it: name a new folder, or --force")
        if (folder.root / "recordings").exists():
            raise FleetError(
                f"{folder.root}/recordings is of no fleet, and is not replaced: name a new folder"
            )
    elif not force:
        there = read_manifest(folder)
        differs = there.difference(wanted)
        root = folder.root
        if differs:
            raise FleetError(
                f"{root} is of other settings: {differs}; --force replaces its results"
            )
        raise FleetError(
            f"{root} has results: go on with --resume {root}, or --force replaces them"
        )
    try:
        folder.clear()
        wanted.write(folder)
    except OSError as error:
        raise FleetError(f"{folder.root} cannot be written: {error.strerror}") from error


def run_fleet(
    folder: FleetFolder,
    manifest: Manifest,
    resources: Resources,
    *,
    retry: bool = False,
    say: Callable[[str], None] = lambda sentence: None,
) -> Iterator[tuple[Progress, Task | None, Outcome | None]]:
    """Do what is missing.

    Args:
        folder: held by the caller.
        manifest: of the fleet.
        resources: that it runs on.
        retry: also what failed or could not be used before.
        say: told what the user should know.

    Yields:
        The progress: once before anything is done, then with each task.

    Raises:
        FleetError: when the workers cannot be had, or the disk is full.
    """
    progress = Progress(len(manifest.recordings) * len(manifest.settings))
    missing = []
    for number, recording in enumerate(manifest.recordings):
        for index, settings in enumerate(manifest.settings):
            before = folder.result(recording.name, settings.name)
            if before is not None and retry and before["status"] != DONE:
                folder.forget(recording.name, settings.name)
                before = None
            if before is None:
                missing.append((number, index))
                continue
            progress.before += 1
            progress.unusable += before["status"] == UNUSABLE
            progress.failed += before["status"] == FAILED
    if not missing:
        yield progress, None, None
        return
    tasks = (Task(manifest.recordings[n], manifest.settings[i]) for n, i in missing)
    with closing(_workers(folder, manifest, resources, len(missing), say)) as pool:
        progress.started = time.monotonic()
        yield progress, None, None
        for task, outcome in run_tasks(tasks, pool, folder):
            progress.add(outcome)
            yield progress, task, outcome


def _workers(
    folder: FleetFolder,
    manifest: Manifest,
    resources: Resources,
    tasks: int,
    say: Callable[[str], None],
) -> Pool:
    """The workers, no more than there are tasks.

    Raises:
        FleetError: when they cannot be had.
    """
    outputs = Outputs(manifest.matches, manifest.bag, resources.memory_bytes)
    threads = max(each.threads for each in manifest.settings)
    root, scratch = folder.root.resolve(), resources.scratch
    if resources.workers == 0:
        return InThisProcess(lambda: Worker(root, outputs, scratch, threads))
    from coarse_loftr_ros.fleet.ray_workers import RayWorkers

    return RayWorkers(
        root,
        outputs,
        manifest.environment,
        workers=resources.workers,
        most=tasks,
        address=resources.address,
        cpus=threads,
        gpus=resources.gpus,
        scratch=scratch,
        say=say,
    )
