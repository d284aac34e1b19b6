"""Malformed messages to real nodes over DDS: nothing may kill them, fill them up or mislead them.

ImagesTarget, compressed images, camera_info and correspondences, made from fixed seeds, are sent in
batches to nodes in processes of their own. After each batch a good image must be answered, so no
message is lost in a full queue. The exit status is 1 when a node died, left a good image without
an answer, grew (memory by more than 1 MiB in 10 minutes after the warm-up, threads, descriptors),
printed a traceback, or sent a number that is not finite.

    python benchmarks/fuzz.py 100000 --table docs/reliability.md
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

# First, for it makes the harness of the tests importable.
import reliability.harness  # noqa: F401  # isort: split
from reliability.answers import tracebacks
from reliability.fuzz_matchers import CameraInfosTarget, CompressedImagesTarget, ImagesTarget
from reliability.fuzz_odometry import MonoTarget, PlanarTarget, StereoTarget
from reliability.fuzz_target import BATCH, Target
from reliability.table import Row, print_report

WARM_UP = 0.4
TARGETS = {
    "image": (ImagesTarget,),
    "compressed": (CompressedImagesTarget,),
    "camera_info": (CameraInfosTarget,),
    "correspondences": (StereoTarget, MonoTarget, PlanarTarget),
}
"""What is sent each kind of message."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Send, look, and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("count", type=int, metavar="COUNT", help="malformed messages, all together")
    parser.add_argument("--kind", choices=TARGETS, action="append", help="one kind only (repeated)")
    parser.add_argument("--seed", type=int, default=0, help="of all messages (0)")
    parser.add_argument(
        "--table", type=Path, help="write the table into this Markdown file as well"
    )
    parser.add_argument("--keep", type=Path, help="folder for the batch that a node died of")
    options = parser.parse_args(arguments)
    kinds = options.kind or list(TARGETS)
    begin = time.monotonic()
    targets = [
        make(f"/fuzz_{make.__name__.lower()}", options.seed)
        for kind in kinds
        for make in TARGETS[kind]
    ]
    try:
        rows = fuzz(targets, {kind: options.count // len(kinds) for kind in kinds}, options.keep)
    finally:
        for target in targets:
            target.end()
    for row, target in zip(rows, targets, strict=True):
        row.faults = [*dict.fromkeys((*row.faults, *target.faults))]
    return print_report("fuzz", arguments, rows, time.monotonic() - begin, options.table)


def fuzz(targets: Sequence[Target], counts: dict[str, int], keep: Path | None) -> list[Row]:
    """Send all messages.

    Args:
        targets: that receive them.
        counts: messages of each kind, shared by its targets.
        keep: folder for what a node died of.
    """
    left = {
        make: -(-count // len(TARGETS[kind]))
        for kind, count in counts.items()
        for make in TARGETS[kind]
    }
    whole = sum(left.values())
    alive = list(targets)
    for target in targets:
        guarded(target, target.connect, alive, keep)
    warm = None
    while alive and any(left[type(target)] for target in alive):
        if warm is None and sum(left.values()) <= (1 - WARM_UP) * whole:
            warm = time.monotonic()
        for target in [target for target in alive if left[type(target)]]:
            number = min(BATCH, left[type(target)])
            left[type(target)] -= number
            guarded(target, lambda t=target, n=number: t.send(n), alive, keep)
        for target in list(alive):
            guarded(target, target.settle, alive, keep)
    time.sleep(1.2)  # until all have sent their last diagnostics
    for target in list(alive):
        guarded(target, lambda t=target: (t.client.spin(0.1), t.look()), alive, keep)
    since = time.monotonic() if warm is None else warm
    return [row(target, target in alive, since) for target in targets]


def row(target: Target, alive: bool, since: float) -> Row:
    """What became of a target."""
    trend = target.vital_signs.trend(since)
    faults = [*target.faults, *(trend.faults if alive else ())]
    faults += [f"traceback: {error}" for error in tracebacks(target.process.output)]
    return Row(
        target.kind,
        target.sent,
        (target.good_answered, target.good_sent),
        target.longest_wait_s,
        target.ledger.beginning_with("rejected: "),
        trend,
        alive,
        faults,
    )


def guarded(
    target: Target, work: Callable[[], object], alive: list[Target], keep: Path | None
) -> None:
    """Do something with a target; one that fails is left out from then on."""
    try:
        work()
    except AssertionError as error:
        alive.remove(target)
        words = target.process.output.strip().splitlines()[-3:]
        target.faults.append(
            f"after {target.sent} messages: {str(error).splitlines()[0]}: {' | '.join(words)}"
        )
        if keep is not None:
            folder = keep / type(target).__name__
            folder.mkdir(parents=True, exist_ok=True)
            for index, content in enumerate(target.last_batch):
                (folder / f"{index:02}.cdr").write_bytes(content)


if __name__ == "__main__":
    sys.exit(main())
