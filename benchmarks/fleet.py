#!/usr/bin/env python3
"""Measures ``coarse-loftr fleet``: overhead, memory, linearity, and what faults cost.

    python benchmarks/fleet_recordings.py /tmp/fleet --recordings 200 --images 40
    python benchmarks/fleet.py scale /tmp/fleet --out /tmp/fleet_out
    python benchmarks/fleet.py stages /tmp/fleet --out /tmp/fleet_stages
    python benchmarks/fleet.py faults /tmp/fleet --out /tmp/fleet_out --kill-every 20

``faults`` needs the results of ``scale``, with which it compares its own bit for bit.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

_COUNTS = (50, 100, 200)


def fleet(*arguments: object) -> subprocess.Popen:
    """The command, with JSON lines on a pipe."""
    command = [sys.executable, "-m", "coarse_loftr_ros", "fleet", *map(str, arguments), "--json"]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def descendants(root: int) -> dict[int, str]:
    """Processes below one, with their names."""
    parents: dict[int, int] = {}
    names: dict[int, str] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                stat = (folder / "stat").read_text().rpartition(")")[2].split()
                line = (folder / "cmdline").read_bytes()
            except OSError:
                continue
            parents[int(folder.name)] = int(stat[1])
            names[int(folder.name)] = line.replace(b"\0", b" ").decode(errors="replace")
    found: dict[int, str] = {}
    for pid, name in names.items():
        above = pid
        while above in parents and above != root:
            above = parents[above]
        if above == root and pid != root:
            found[pid] = name
    return found


def workers_of(driver: int) -> list[int]:
    """Processes of Ray's actors below a driver."""
    return [pid for pid, name in descendants(driver).items() if name.startswith("ray::Worker")]


def memory_mb(pid: int) -> float:
    """Resident memory of a process."""
    try:
        return (
            int(Path(f"/proc/{pid}/statm").read_text().split()[1])
            * os.sysconf("SC_PAGE_SIZE")
            / 1e6
        )
    except OSError:
        return 0.0


def results(folder: Path) -> Iterator[tuple[str, bytes]]:
    """All bytes that have to be the same every time."""
    for path in sorted((folder / "recordings").rglob("*")):
        if path.is_file() and path.name != "timings.json":
            yield str(path.relative_to(folder)), path.read_bytes()
    yield "index.html", (folder / "index.html").read_bytes()


def scale(args: argparse.Namespace) -> None:
    """Fleets of several sizes."""
    recordings = sorted(args.folder.glob("*.mcap"))
    rows = []
    for count in (count for count in _COUNTS if count <= len(recordings)):
        listed = args.out / f"{count}.txt"
        args.out.mkdir(parents=True, exist_ok=True)
        listed.write_text("".join(f"{path}\n" for path in recordings[:count]))
        begin = time.monotonic()
        out = args.out / str(count)
        tool = fleet(listed, "-o", out, "--workers", args.workers, "--force")
        memory: list[float] = []
        end: dict = {}
        for line in tool.stdout:
            memory.append(memory_mb(tool.pid))
            end = json.loads(line)
        code = tool.wait()
        rows.append(
            {
                "recordings": count,
                "images": end["images"],
                "exit": code,
                "whole_s": round(time.monotonic() - begin, 1),
                "tasks_s": end["seconds"],
                "overhead_percent": round(
                    100 * (1 - end["work_s"] / (args.workers * end["seconds"])), 1
                ),
                "images_per_second": end["images_per_second"],
                "driver_mb_first_tenth": round(max(memory[1 : max(2, count // 10)]), 1),
                "driver_mb_last": round(max(memory[-max(1, count // 10) :]), 1),
                "report_mb": round((out / "index.html").stat().st_size / 1e6, 2),
                "read_mb": round(end["bytes_read"] / 1e6, 1),
                "written_mb": round(end["bytes_written"] / 1e6, 1),
                "stages": end["stages"],
            }
        )
        print(json.dumps(rows[-1]), flush=True)


def faults(args: argparse.Namespace) -> None:
    """Kill a worker every so often, and the driver once; go on; compare."""
    recordings = sorted(args.folder.glob("*.mcap"))
    count = max(count for count in _COUNTS if count <= len(recordings))
    whole, out = args.out / str(count), args.out / f"{count}_disturbed"
    begin = time.monotonic()
    killed, drivers = 0, 0
    arguments: list[object] = [args.out / f"{count}.txt", "-o", out, "--force"]
    choose = random.Random(1)
    while True:
        tool = fleet(*arguments, "--workers", args.workers)
        drivers += 1
        over = threading.Event()
        kills = [0]

        def disturb(tool: subprocess.Popen = tool, over=over, kills=kills) -> None:
            while not over.wait(args.kill_every):
                found = workers_of(tool.pid)
                if found:
                    os.kill(choose.choice(found), signal.SIGKILL)
                    kills[0] += 1

        thread = threading.Thread(target=disturb)
        thread.start()
        for line in tool.stdout:
            said = json.loads(line)
            if drivers == 1 and said["done"] >= count // 2:
                tool.kill()
        code = tool.wait()
        over.set()
        thread.join()
        killed += kills[0]
        if code >= 0:
            break
        arguments = ["--resume", out]
    same = dict(results(whole)) == dict(results(out))
    print(
        json.dumps(
            {
                "recordings": count,
                "workers_killed": killed,
                "drivers": drivers,
                "exit": code,
                "failed": said["failed"],
                "seconds": round(time.monotonic() - begin, 1),
                "bit_identical": same,
            }
        )
    )


def stages(args: argparse.Namespace) -> None:
    """CPU time of each stage per frame set, in this process; a busy machine does not change it."""
    time.perf_counter = time.process_time
    from coarse_loftr_ros.fleet.following import Outputs
    from coarse_loftr_ros.fleet.settings import Settings
    from coarse_loftr_ros.fleet.sources import find_recordings
    from coarse_loftr_ros.fleet.worker import Task, Worker

    worker, spent, sets = Worker(args.out, Outputs()), {}, 0
    read = written = 0
    for recording in find_recordings([str(args.folder)]):
        outcome = worker.work(Task(recording, Settings()))
        sets += outcome.images // 2
        read, written = read + outcome.bytes_read, written + outcome.bytes_written
        for stage, seconds in outcome.stages.items():
            spent[stage] = spent.get(stage, 0.0) + seconds
    per_set = {stage: round(1e3 * seconds / sets, 2) for stage, seconds in spent.items()}
    print(json.dumps({"pairs": sets, "cpu_ms_per_pair": per_set,
                      "read_kb_per_pair": round(read / sets / 1e3, 1),
                      "written_kb_per_pair": round(written / sets / 1e3, 1)}))  # fmt: skip


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description="Measure coarse-loftr fleet.")
    parser.add_argument("what", choices=("scale", "faults", "stages"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--kill-every", type=float, default=20.0, metavar="S")
    args = parser.parse_args()
    {"scale": scale, "faults": faults, "stages": stages}[args.what](args)


if __name__ == "__main__":
    main()
