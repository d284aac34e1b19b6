"""Hours of work in minutes: real nodes, images at a rate, and whatever disturbs a robot's camera.

Rendered images go to a matcher and an odometry node in processes of their own, over DDS. Again and
again something happens: see disturbances.py. After each the nodes must give a good answer by
themselves. The exit status is 1 when a node died or did not recover, grew (memory by more than
1 MiB in 10 minutes after the warm-up, threads, descriptors), printed a traceback, or sent a number
that is not finite.

    python benchmarks/soak.py 20 --table docs/reliability.md
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

# First, for it makes the harness of the tests importable.
import reliability.harness  # noqa: F401  # isort: split
from odometry_harness import OdometryProcess
from reliability.answers import tracebacks
from reliability.camera import SoakCamera
from reliability.disturbances import DISTURBANCES, OF_STEREO
from reliability.table import Row, print_report
from reliability.vital_signs import Sample
from ros_harness import NodeProcess

NAMESPACE = "/soak"
# Short ones, until malloc has grown to what the load needs.
WARM_UP_ROUNDS = 6


def main(arguments: Sequence[str] | None = None) -> int:
    """Send, disturb, look, and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument(
        "minutes", type=float, metavar="MINUTES", help="after the warm-up; 0 is one round"
    )
    parser.add_argument("--mode", choices=("stereo", "mono"), default="stereo",
                        help="mono is the matcher alone (stereo)")  # fmt: skip
    parser.add_argument("--rate", type=float, default=15.0, help="images per second (15)")
    parser.add_argument("--width", type=int, default=320, help="px (320)")
    parser.add_argument("--height", type=int, default=240, help="px (240)")
    parser.add_argument("--compressed", action="store_true", help="images as JPEG")
    parser.add_argument("--rectify", action="store_true", help="the matcher rectifies them")
    parser.add_argument("--calm", type=float, default=5.0, help="s between disturbances (5)")
    parser.add_argument("--hold", type=float, default=1.5, help="s that one lasts (1.5)")
    parser.add_argument("--verbose", action="store_true", help="memory after each disturbance")
    parser.add_argument("--only", metavar="NAME", action="append",
                        choices=[disturb.__name__ for disturb in DISTURBANCES],
                        help="of disturbances.py: this one alone (repeated)")  # fmt: skip
    parser.add_argument(
        "--table", type=Path, help="write the table into this Markdown file as well"
    )
    options = parser.parse_args(arguments)
    options.round = [
        disturb
        for disturb in DISTURBANCES
        if (not options.only or disturb.__name__ in options.only)
        and (options.mode == "stereo" or disturb not in OF_STEREO)
    ]
    if not options.round:
        parser.error(f"{', '.join(options.only)} needs two cameras: --mode stereo")
    begin = time.monotonic()
    matcher = NodeProcess(
        NAMESPACE, f"mode:={options.mode}", f"expected_width:={options.width}",
        f"expected_height:={options.height}", f"rectify:={str(options.rectify).lower()}",
        f"image_transport:={'compressed' if options.compressed else 'raw'}",
        "image_reliability:=reliable",
    )  # fmt: skip
    # The path that it keeps is full when the warm-up ends, so that it is not taken for a leak.
    odometry = (
        OdometryProcess(NAMESPACE, "path.max_poses:=100") if options.mode == "stereo" else None
    )
    camera = SoakCamera(options, matcher, odometry)
    rows = []
    try:
        rows = soak(camera, options)
    finally:
        for process, row in zip(camera.processes, rows or [None] * 2, strict=False):
            try:
                status = process.stop()
                words = "" if status == 0 else f"exit status {status}"
            except AssertionError as error:
                words = str(error).splitlines()[0]
            if row is not None and words and row.alive:
                row.faults.append(words)
        camera.close()
    return print_report("soak", arguments, rows, time.monotonic() - begin, options.table)


def soak(camera: SoakCamera, options: argparse.Namespace) -> list[Row]:
    """Rounds of disturbances until the time is over; one row per node."""
    fault = ""
    slowest = [0.0]
    warm = time.monotonic()
    try:
        camera.connect()
        slowest.append(camera.recover("the start"))
        for _ in range(WARM_UP_ROUNDS if options.minutes else 0):
            slowest.append(one_round(camera, options, calm=0.0, hold=0.3))
        warm = time.monotonic()
        while True:
            slowest.append(one_round(camera, options, options.calm, options.hold))
            if time.monotonic() >= warm + 60 * options.minutes:
                break
        camera.stream(max(1.2, options.calm), calm="at the end")  # the last diagnostics
    except AssertionError as error:
        fault = str(error)
    return [row(camera, index, fault, warm, max(slowest)) for index in range(len(camera.processes))]


def one_round(camera: SoakCamera, options: argparse.Namespace, calm: float, hold: float) -> float:
    """All disturbances once; the longest time in s until a good answer came again."""
    slowest = 0.0
    for disturb in options.round:
        camera.stream(calm, calm=f"before {disturb.__name__}")
        disturb(camera, hold)
        slowest = max(slowest, camera.recover(disturb.__name__))
        if options.verbose:
            memory = [Sample.of(process.process.pid).memory_mib for process in camera.processes]
            print(disturb.__name__, *(f"{mib:.1f} MiB" for mib in memory), flush=True)
    return slowest


def row(camera: SoakCamera, index: int, fault: str, since: float, slowest: float) -> Row:
    """What became of a node."""
    process = camera.processes[index]
    trend = camera.vital_signs[index].trend(since)
    faults = [*trend.faults]
    if index == 0:
        faults += dict.fromkeys(camera.faults)
        if fault:
            faults.append(fault.splitlines()[0])
    if not process.running:
        faults.append("died: " + " | ".join(process.output.strip().splitlines()[-3:]))
    faults += [f"traceback: {error}" for error in tracebacks(process.output)]
    return Row(
        process.name,
        len(camera.sent),
        (len(camera.answered & camera.sent), len(camera.sent)),
        slowest,
        camera.ledgers[index].beginning_with("rejected: "),
        trend,
        process.running and not fault,
        faults,
    )


if __name__ == "__main__":
    sys.exit(main())
