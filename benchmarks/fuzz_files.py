"""Damaged files of every kind that the commands read: none may end in a traceback.

Whole files are made, damaged with a fixed seed, and read as the commands read them, each batch in a
process of its own with a limit of memory and time. A file is read, read in part (what was lost is
counted and named), or refused with a sentence. Anything else is a leak: another exception, a
process that dies, hangs, or takes more memory than the limit.

    python benchmarks/fuzz_files.py 2000

prints a table and ends with 1 when anything leaked. ``--kind`` runs one kind, ``--keep`` saves the
files that leaked.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import select
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

import coarse_loftr_ros  # before OpenCV, which is given its limits by it

if TYPE_CHECKING:
    from damaged_files.kinds import Kind

_BATCH = 200  # files that a process reads
_LIMIT_S = 30.0  # for one file
LIMIT_MB = 1024  # more than the process had before the file
_READ, _PART, _REFUSED = "read", "in part", "refused"


@dataclass
class FileTally:
    """What came of the files of a kind."""

    counts: Counter[str] = field(default_factory=Counter)
    leaks: Counter[str] = field(default_factory=Counter)
    peak_mb: float = 0.0
    slowest_s: float = 0.0


def main() -> int:
    """Run all kinds and print the table."""
    from damaged_files.kinds import KINDS

    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("count", type=int, help="damaged files of each kind")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kind", action="append", choices=[kind.name for kind in KINDS])
    parser.add_argument("--keep", type=Path, metavar="DIR", help="save the files that leaked")
    args = parser.parse_args()
    print(f"coarse_loftr_ros {coarse_loftr_ros.__version__}, seed {args.seed}\n")
    print(
        "| files | damaged | read | in part | refused | leaks | peak MB | slowest s |\n"
        "|---|---|---|---|---|---|---|---|"
    )
    leaked = 0
    for place, kind in enumerate(KINDS):
        if args.kind and kind.name not in args.kind:
            continue
        count = max(1, round(args.count * kind.share))
        tally = fuzz(kind, count, [args.seed, place], args.keep)
        leaks = sum(tally.leaks.values())
        leaked += leaks
        counts = " | ".join(str(tally.counts[what]) for what in (_READ, _PART, _REFUSED))
        print(
            f"| {kind.name} | {count} | {counts} | {leaks} | {tally.peak_mb:.0f} | "
            f"{tally.slowest_s:.2f} |",
            flush=True,
        )
        for what, times in tally.leaks.most_common():
            print(f"{times} x {kind.name}: {what}", file=sys.stderr)
    return 1 if leaked else 0


def fuzz(kind: Kind, count: int, seed: list[int], keep: Path | None = None) -> FileTally:
    """Damage and read files of a kind."""
    tally = FileTally()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files = kind.make(folder)
        whole = [file.read_bytes() for file in files]
        done = 0
        while done < count:
            batch = range(done, min(count, done + _BATCH))
            for number, (what, megabytes, seconds) in _results(kind, files, whole, batch, seed):
                done = number + 1
                tally.peak_mb = max(tally.peak_mb, megabytes)
                tally.slowest_s = max(tally.slowest_s, seconds)
                if what in (_READ, _PART, _REFUSED):
                    tally.counts[what] += 1
                    continue
                tally.leaks[what] += 1
                if keep is not None:
                    _, damaged = _damaged(kind, whole, number, seed)
                    keep.mkdir(parents=True, exist_ok=True)
                    (keep / f"{number}_{files[number % len(files)].name}").write_bytes(damaged)
    return tally


def _damaged(kind: Kind, whole: list[bytes], number: int, seed: list[int]) -> tuple[int, bytes]:
    rng = np.random.default_rng([*seed, number])
    variant = number % len(whole)
    return variant, kind.damage(whole[variant], rng)


def _results(
    kind: Kind, files: list[Path], whole: list[bytes], batch: range, seed: list[int]
) -> Iterator[tuple[int, tuple[str, float, float]]]:
    """Number and outcome of each file, from a process that may die; it is then the last's fault."""
    receive, send = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(receive)
        _work(kind, files, whole, batch, seed, send)
    os.close(send)
    number, buffer = batch.start, b""
    try:
        while number < batch.stop:
            ready, _, _ = select.select([receive], [], [], _LIMIT_S)
            part = os.read(receive, 65536) if ready else b""
            if not part:
                os.kill(child, signal.SIGKILL)
                _, status = os.waitpid(child, 0)
                code = os.waitstatus_to_exitcode(status)
                what = f"no end within {_LIMIT_S:g} s" if not ready else f"process ended: {code}"
                child = 0
                yield number, (what, 0.0, 0.0)
                return
            *lines, buffer = (buffer + part).split(b"\n")
            for line in lines:
                yield number, tuple(json.loads(line))
                number += 1
    finally:
        os.close(receive)
        if child:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)


def _work(
    kind: Kind, files: list[Path], whole: list[bytes], batch: range, seed: list[int], send: int
) -> None:
    """Read the files of a batch and send what came of each; ends the process."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):  # commands print, and OpenCV and FFmpeg comment on what they read
        os.dup2(nowhere, stream)
    for number in batch:
        variant, damaged = _damaged(kind, whole, number, seed)
        for file, content in zip(files, whole, strict=True):
            file.write_bytes(content)
        files[variant].write_bytes(damaged)
        before = _memory_mb("VmSize"), _memory_mb("VmRSS")
        limit = int((before[0] + 4 * LIMIT_MB) * 2**20)
        resource.setrlimit(resource.RLIMIT_AS, (limit, resource.RLIM_INFINITY))
        Path("/proc/self/clear_refs").write_text("5")  # the peak is counted from here
        start = time.perf_counter()
        try:
            what = _PART if kind.read(files[variant]) else _READ
        except kind.refusals as error:
            what = _REFUSED if str(error).strip() else f"{type(error).__name__} without a word"
        except (Exception, SystemExit) as error:  # noqa: BLE001 - this is what is looked for
            last = traceback.extract_tb(error.__traceback__)[-1]
            where = f"{Path(last.filename).name}:{last.lineno}"
            what = f"{type(error).__name__} in {where}: {error}"[:200]
        seconds = time.perf_counter() - start
        peak = _memory_mb("VmHWM") - before[1]
        if peak > LIMIT_MB:
            what = f"{peak:.0f} MB of memory"
        os.write(send, json.dumps([what, max(0.0, peak), seconds]).encode() + b"\n")
    os._exit(0)


def _memory_mb(name: str) -> float:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) / 1024
    raise KeyError(name)


if __name__ == "__main__":
    sys.exit(main())
