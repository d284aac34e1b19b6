"""Workers on Ray: actors that keep their models loaded, on this machine or on a cluster."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

from coarse_loftr_ros.fleet.following import Outputs
from coarse_loftr_ros.fleet.settings import FleetError
from coarse_loftr_ros.fleet.worker import FAILED, KILLED, Outcome, Task, Worker

__all__ = ["RayWorkers", "check_ray"]

_REACH_S = 8.0
_POLL_S = 1.0
_ROOM_S = 10.0
_STORE_BYTES = 100 << 20  # results go to the disk, not through Ray
_INSTALL = "pip install 'coarse_loftr_ros[fleet]'"


class RayWorkers:
    """Actors; see ``Pool``.

    Args:
        root: of the results, a folder that every node sees.
        outputs: what is written of each recording.
        expected: versions that a node must have.
        workers: how many; ``None`` for as many as there are CPUs for.
        most: of them that have something to do.
        address: of a cluster, or ``auto``; ``None`` starts one in this process for the time being.
        cpus: of each worker.
        gpus: of each worker, also a part of one.
        scratch: folder for copies of remote recordings.
        say: told what the user should know.

    Raises:
        FleetError: when the cluster cannot be used.
    """

    def __init__(
        self,
        root: Path,
        outputs: Outputs,
        expected: dict[str, str],
        *,
        workers: int | None,
        most: int,
        address: str | None,
        cpus: int = 1,
        gpus: float = 0.0,
        scratch: Path | None = None,
        say: Callable[[str], None] = lambda sentence: None,
    ) -> None:
        if workers is not None:
            workers = min(workers, most)
        self._ray = ray = _connected(workers, address, cpus, gpus)
        room = int(ray.cluster_resources().get("CPU", 0) // cpus)
        if gpus:
            room = min(room, int(ray.cluster_resources().get("GPU", 0) / gpus))
        wanted = min(room, most) if workers is None else workers
        if room < 1:
            raise FleetError(
                f"the Ray cluster has no room for a worker of {cpus} CPUs, {gpus:g} GPUs"
            )
        if wanted > room:
            say(f"the Ray cluster has room for {room} workers, not {wanted}")
        options = {"num_cpus": cpus, "max_restarts": 0, "max_concurrency": 1}
        if gpus:
            options["num_gpus"] = gpus
        if outputs.memory_bytes is not None and address is not None:
            options["memory"] = outputs.memory_bytes
        actor = ray.remote(Worker).options(**options)
        self._make = lambda: actor.remote(root, outputs, scratch, cpus, expected)
        self._actors: dict[int, Any] = {}
        self._placed: dict[int, Any] = {}
        self._busy: dict[Any, int] = {}
        self._next = 0
        self._say, self._cpus = say, cpus
        self._began, self._room_is_known = time.monotonic(), False
        for _ in range(min(wanted, room)):
            self._add()

    @property
    def idle(self) -> list[int]:
        """See ``Pool``."""
        return [number for number in self._actors if number not in self._busy.values()]

    def start(self, worker: int, task: Task) -> None:
        """See ``Pool``."""
        self._busy[self._actors[worker].work.remote(task)] = worker

    def wait(self) -> tuple[int, Outcome]:
        """See ``Pool``; a worker that was killed has failed, and another takes its place.

        Raises:
            FleetError: when the cluster is gone.
        """
        ray = self._ray
        while True:
            ready, _ = ray.wait(list(self._busy), num_returns=1, timeout=_POLL_S)
            if ready:
                break
            self._look_for_room()
        self._room_is_known = True
        number = self._busy.pop(ready[0])
        try:
            return number, ray.get(ready[0])
        except (ray.exceptions.ActorDiedError, ray.exceptions.ActorUnavailableError) as error:
            # No recording is to blame for that, and every other worker would end alike.
            if "error raised in its creation task" in str(error):
                raise FleetError(f"a worker cannot start: {_last_line(error)}") from error
            self.renew(number)
            return number, Outcome(KILLED, _why_died(error))
        except ray.exceptions.OutOfMemoryError:
            self.renew(number)
            return number, Outcome(FAILED, "its worker was ended because memory was short")
        except ray.exceptions.RayError as error:
            raise FleetError(f"the Ray cluster cannot go on: {_line(error)}") from error

    def renew(self, worker: int) -> int:
        """See ``Pool``."""
        self._ray.kill(self._actors.pop(worker))
        del self._placed[worker]
        return self._add()

    def close(self) -> None:
        """See ``Pool``; the cluster ends too if it was started here."""
        self._ray.shutdown()

    def _look_for_room(self) -> None:
        """Say it once when no worker has found a place on the cluster."""
        if self._room_is_known or time.monotonic() - self._began < _ROOM_S:
            return
        self._room_is_known = True
        placed, _ = self._ray.wait(list(self._placed.values()), num_returns=1, timeout=0)
        if not placed:
            free = self._ray.available_resources().get("CPU", 0)
            self._say(
                f"waiting for room: a worker needs {self._cpus} CPUs, and {free:g} of the Ray "
                "cluster are free"
            )

    def _add(self) -> int:
        number, self._next = self._next, self._next + 1
        self._actors[number] = actor = self._make()
        self._placed[number] = actor.__ray_ready__.remote()
        return number


def check_ray(address: str | None, seconds: float = _REACH_S) -> None:
    """Say it when there is no Ray, or none at an address; Ray itself would try for minutes.

    Args:
        address: ``HOST:PORT`` of its head, or ``auto``; ``None`` for one that is started here.
        seconds: to wait at most.

    Raises:
        FleetError: when Ray is not installed, or none answers in time.
    """
    start = time.monotonic()
    if find_spec("ray") is None:
        raise FleetError(f"Ray is not installed: {_INSTALL}; or --workers 0 without it")
    if address is None:
        return
    if address != "auto":
        host, _, port = address.rpartition(":")
        if not host or "/" in host or not port.isdigit() or not 0 < int(port) < 65536:
            raise FleetError(f"--ray is '{address}'; it must be auto or HOST:PORT")
        try:
            with socket.create_connection((host.strip("[]"), int(port)), timeout=seconds / 2):
                pass
        except OSError as error:
            said = error.strerror or str(error)
            raise FleetError(f"no Ray cluster answers at {address}: {said}") from error
    # In a process of its own, because what Ray does while it connects cannot be interrupted.
    probe = [sys.executable, "-c", _PROBE, address]
    left = seconds - (time.monotonic() - start)
    try:
        done = subprocess.run(probe, capture_output=True, text=True, timeout=left, env=_quiet())
    except subprocess.TimeoutExpired as error:
        if b"AuthToken" in (error.stderr or b""):  # bytes, whatever was asked for
            raise FleetError(
                f"the Ray cluster at {address} wants a token: set RAY_AUTH_MODE=token, and have "
                "its ~/.ray/auth_token on this machine"
            ) from error
        raise FleetError(f"no Ray cluster answers at {address} within {seconds:g} s") from error
    if done.returncode:
        said = (done.stderr.strip().splitlines() or ["it ended"])[-1]
        raise FleetError(f"no Ray cluster answers at {address}: {said}")


_PROBE = (
    "import sys, ray; ray.init(sys.argv[1], log_to_driver=False, logging_level='error');"
    "ray.cluster_resources(); ray.shutdown()"
)


def _connected(workers: int | None, address: str | None, cpus: int, gpus: float) -> ModuleType:
    """Ray, connected.

    Raises:
        FleetError: when it cannot be connected with or started.
    """
    os.environ.update(_quiet())
    import ray

    options: dict[str, Any] = {"log_to_driver": False, "logging_level": "error"}
    if address is None:
        count = workers or max(1, (os.cpu_count() or 1) // cpus)
        options |= {
            "num_cpus": count * cpus,
            "include_dashboard": False,
            "object_store_memory": _STORE_BYTES,
        }
        if not gpus:
            options["num_gpus"] = 0
    on_term = signal.getsignal(signal.SIGTERM)
    try:
        # "local": a cluster of the environment (RAY_ADDRESS) is none that was asked for.
        ray.init("local" if address is None else address, **options)
    except (ConnectionError, RuntimeError, ValueError, OSError) as error:
        raise FleetError(f"Ray cannot be used: {_line(error)}") from error
    finally:
        signal.signal(signal.SIGTERM, on_term)  # Ray puts its own there
    return ray


def _quiet() -> dict[str, str]:
    return {**os.environ, "RAY_USAGE_STATS_ENABLED": "0", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0"}


def _why_died(error: Exception) -> str:
    said = _line(error)
    if "out of memory" in said.lower() or "oom" in said.lower():
        return "its worker was ended because memory was short"
    for mark in ("SIGKILL", "SIGSEGV", "SIGTERM", "connection error code"):
        if mark in said:
            return f"its worker was ended ({mark if mark[0] == 'S' else 'killed, or it crashed'})"
    return f"its worker was ended: {said[:200]}"


def _last_line(error: Exception) -> str:
    return str(error).strip().splitlines()[-1].strip()


def _line(error: Exception) -> str:
    return " ".join(str(error).split())
