"""A worker: does one task after the other, and keeps its models loaded."""

from __future__ import annotations

import errno
import os
import shutil
import socket
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from coarse_loftr_ros.backends.base import BackendError
from coarse_loftr_ros.fleet.fetching import fetched
from coarse_loftr_ros.fleet.folder import RESULT, FleetFolder
from coarse_loftr_ros.fleet.following import Outputs, Stopwatch, follow
from coarse_loftr_ros.fleet.manifest import difference, environment
from coarse_loftr_ros.fleet.pipelines import Pipelines
from coarse_loftr_ros.fleet.settings import FleetError, Settings
from coarse_loftr_ros.fleet.sources import Recording
from coarse_loftr_ros.recordings.bags.types import BagError
from coarse_loftr_ros.recordings.errors import RecordingError

__all__ = [
    "DONE",
    "FAILED",
    "KILLED",
    "MISFIT",
    "NO_ROOM",
    "UNUSABLE",
    "Outcome",
    "Task",
    "Worker",
    "record_failure",
]

DONE, UNUSABLE, FAILED, NO_ROOM = "done", "unusable", "failed", "no room"
MISFIT, KILLED = "misfit", "killed"
_LEAST_ROOM = 4 << 20  # bytes


@dataclass(frozen=True)
class Task:
    """A recording under some settings."""

    recording: Recording
    settings: Settings

    @property
    def name(self) -> str:
        """For the user."""
        return f"{self.recording.name} ({self.settings.name})"


@dataclass(frozen=True)
class Outcome:
    """What became of a task; small, as the results are on the disk.

    Attributes:
        status: ``done``; ``unusable``, where the recording is to blame and another try would end
            alike; ``failed``; ``no room``, when the disk is full;
            ``misfit``, when the node has other versions than the driver; ``killed``, when the
            worker was.
        reason: in words, unless done.
        images: that were read.
        seconds: that it took.
        stages: seconds of each stage.
        bytes_read: of the recording.
        bytes_written: of the results.
    """

    status: str
    reason: str = ""
    images: int = 0
    seconds: float = 0.0
    stages: dict[str, float] = field(default_factory=dict)
    bytes_read: int = 0
    bytes_written: int = 0


class Worker:
    """Does tasks in this process.

    Args:
        root: of the results.
        outputs: what is written of each recording.
        scratch: folder for copies of remote recordings; that of the system unless given.
        threads: CPU threads of what is not the network's runtime.
        expected: versions without which results would be others; ``None`` takes any.
    """

    def __init__(
        self,
        root: Path,
        outputs: Outputs,
        scratch: Path | None = None,
        threads: int = 1,
        expected: dict[str, str] | None = None,
    ) -> None:
        import cv2

        cv2.setNumThreads(threads)
        self._folder = FleetFolder(root)
        self._outputs = outputs
        self._scratch = scratch
        self._pipelines = Pipelines()
        differs = "" if expected is None else difference(expected, environment())
        self._misfit = f"on {socket.gethostname()} {differs}" if differs else ""

    def work(self, task: Task) -> Outcome:
        """Do a task; whatever goes wrong with it is an outcome."""
        start, watch = time.perf_counter(), Stopwatch()
        if self._misfit:
            return Outcome(MISFIT, self._misfit)
        status, reason, written = DONE, "", 0
        try:
            with self._folder.writing(task.recording.name, task.settings.name) as folder:
                try:
                    result = self._follow(task, folder, watch)
                except RecordingError as error:
                    _empty(folder)
                    status, reason, result = UNUSABLE, " ".join(str(error).split()), {}
                self._folder.write_json(
                    folder / RESULT,
                    {**described(task), "status": status, "reason": reason, **result},
                )
                watch.add("all", start)
                self._folder.write_json(
                    folder / "timings.json",
                    {
                        "images": watch.images,
                        "stages": watch.seconds,
                        "host": socket.gethostname(),
                        "pid": os.getpid(),
                        "environment": environment(),
                    },
                )
                written = sum(file.stat().st_size for file in folder.iterdir())
        except BackendError as error:
            status, reason = FAILED, str(error)
        except Exception as error:  # noqa: BLE001 - the border of a task: it costs this recording alone
            status, reason = (NO_ROOM if self._full(error) else FAILED), _sentence(error)
        seconds = time.perf_counter() - start
        return Outcome(status, reason, watch.images, seconds, watch.seconds, watch.bytes, written)

    def close(self) -> None:
        """Give back what the models hold."""
        self._pipelines.close()

    def _follow(self, task: Task, folder: Path, watch: Stopwatch) -> dict[str, Any]:
        """Fetch, match and follow a recording; what its result has beside its status.

        Raises:
            RecordingError: when the recording cannot be used, naming it as its user does.
        """
        start = time.perf_counter()
        with fetched(task.recording, self._scratch) as local:
            watch.bytes = local.size
            watch.add("fetch", start)
            try:
                result = follow(
                    local.path, task.settings, self._outputs, self._pipelines, folder, watch
                )
            except (RecordingError, BagError, MemoryError) as error:
                self._raise_if_full(error)
                reason = str(error).replace(str(local.path), task.recording.address)
                raise RecordingError(reason or "it needs more memory than there is") from error
            result = _naming(task.recording.address, str(local.path), result)
            return {**result, "fingerprint": local.fingerprint, "bytes": local.size}

    def _raise_if_full(self, error: Exception) -> None:
        if self._full(error):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)) from error

    def _full(self, error: Exception) -> bool:
        """Whether a full disk is what an error comes of."""
        if getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT):
            return True
        if os.strerror(errno.ENOSPC) in str(error):
            return True
        try:
            return shutil.disk_usage(self._folder.root).free < _LEAST_ROOM
        except OSError:
            return False


def described(task: Task) -> dict[str, Any]:
    """What a result says of its task."""
    return {
        "recording": task.recording.name,
        "source": task.recording.address,
        "settings": task.settings.name,
        "settings_digest": task.settings.digest,
    }


def record_failure(folder: FleetFolder, task: Task, reason: str) -> None:
    """Write as the result of a task that it failed, and why.

    Raises:
        OSError: when it cannot be written.
    """
    with folder.writing(task.recording.name, task.settings.name) as new:
        values = {**described(task), "status": FAILED, "reason": reason}
        folder.write_json(new / RESULT, values)


def _naming(address: str, local: str, value: Any) -> Any:
    """A result whose words name a recording by its address; copies have another path every time."""
    if isinstance(value, dict):
        return {name: _naming(address, local, each) for name, each in value.items()}
    if isinstance(value, list):
        return [_naming(address, local, each) for each in value]
    return value.replace(local, address) if isinstance(value, str) else value


def _empty(folder: Path) -> None:
    for file in folder.iterdir():
        if file.is_dir():
            shutil.rmtree(file)
        else:
            file.unlink()


def _sentence(error: Exception) -> str:
    """A defect in one line, with where it was raised."""
    if isinstance(error, (OSError, FleetError)):
        return " ".join(str(error).split())
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    where = (
        ""
        if trace is None
        else f" ({Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno})"
    )
    return " ".join(f"{type(error).__name__}: {error}{where}".split())
