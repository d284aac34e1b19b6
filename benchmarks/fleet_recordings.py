#!/usr/bin/env python3
"""Makes a fleet of small stereo recordings, no two alike, by ``coarse-loftr bag from-images``.

    python benchmarks/fleet_recordings.py /tmp/fleet --recordings 200 --images 40

Exposure and noise differ; every seventh camera is covered for a while; the right camera of the
later recordings sits lower, as one that was knocked does.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import tempfile
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from coarse_loftr_ros.commands import cli
from coarse_loftr_ros.recordings.rendered.flight import Flight
from coarse_loftr_ros.recordings.rendered.scene import draw_landscape
from coarse_loftr_ros.recordings.trajectories.files import kitti_text
from coarse_loftr_ros.recordings.trajectories.trajectory import Trajectory

_FLIGHTS = 4
_RATE_HZ = 10.0
_SCALE = 0.05  # metres per pixel of the landscape
_BASELINE_PX = 40.0
_DAY_S = 86_400
_START_S = 1_750_000_000
Eyes = list[list[NDArray[np.uint8]]]


def make_recordings(
    folder: Path, count: int, images: int, size: tuple[int, int] = (320, 256), first: int = 0
) -> list[Path]:
    """Make recordings of a stereo camera with a true path.

    Args:
        folder: gets ``drive_NNNN.mcap``.
        count: of them.
        images: pairs of each.
        size: (width, height), px.
        first: number of the first one.
    """
    folder.mkdir(parents=True, exist_ok=True)
    flights = [_flight(seed, images, size) for seed in range(min(_FLIGHTS, count))]
    rendered = [
        [[f.image for f in flight.frames(right)] for right in (0.0, _BASELINE_PX)]
        for flight in flights
    ]
    made = []
    for number in range(first, first + count):
        path = folder / f"drive_{number:04d}.mcap"
        with tempfile.TemporaryDirectory() as name:
            which = number % len(flights)
            _write(Path(name), number, flights[which], rendered[which])
            with contextlib.redirect_stdout(io.StringIO()):
                code = cli.main(["bag", "from-images", name, "-o", str(path), "--force"])
        if code:
            raise SystemExit(code)
        made.append(path)
    return made


def _flight(seed: int, images: int, size: tuple[int, int]) -> Flight:
    landscape = draw_landscape(1100, 900, seed=seed)
    return Flight(landscape, images / _RATE_HZ, _RATE_HZ, *size, seed=seed)


def _write(folder: Path, number: int, flight: Flight, eyes: Eyes) -> None:
    """One recording in KITTI's layout."""
    random = np.random.default_rng(number)
    gain, noise = random.uniform(0.6, 1.25), random.uniform(0, 6)
    lower = max(0.0, (number % 50 - 30) / 20)  # px
    for eye, name in enumerate(("image_0", "image_1")):
        (folder / name).mkdir()
        moved = np.float32([[1, 0, 0], [0, 1, lower * eye]])
        for index, image in enumerate(eyes[eye]):
            height, width = image.shape
            seen = cv2.warpAffine(image, moved, (width, height), borderMode=cv2.BORDER_REPLICATE)
            if number % 7 == 3 and 10 <= index < 16:
                seen = np.zeros_like(seen)
            seen = gain * seen + random.normal(0, 1, seen.shape) * noise
            cv2.imwrite(
                str(folder / name / f"{index:06d}.png"),
                np.clip(seen, 0, 255).astype(np.uint8),
                [cv2.IMWRITE_PNG_COMPRESSION, 1],
            )
    camera = flight.intrinsics
    lines = []
    for name, right in (("P0", 0.0), ("P1", _BASELINE_PX * _SCALE)):
        projection = np.column_stack([camera.matrix(), [-camera.fx * right, 0, 0]])
        lines.append(f"{name}: " + " ".join(f"{value:.12e}" for value in projection.ravel()))
    (folder / "calib.txt").write_text("\n".join(lines) + "\n")
    times = [_START_S + number * _DAY_S / 4 + (s - flight.stamps[0]) / 1e9 for s in flight.stamps]
    (folder / "times.txt").write_text("".join(f"{time:.9f}\n" for time in times))
    path = Trajectory.of(flight.stamps, [flight.pose(stamp) for stamp in flight.stamps])
    (folder / "poses.txt").write_text(kitti_text(path.scaled(_SCALE).from_first()))


def main() -> None:
    """Make them."""
    parser = argparse.ArgumentParser(description="Make a fleet of small stereo recordings.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--recordings", type=int, default=200)
    parser.add_argument("--images", type=int, default=40)
    args = parser.parse_args()
    made = make_recordings(args.folder, args.recordings, args.images)
    size = sum(path.stat().st_size for path in made)
    print(f"{len(made)} recordings of {args.images} pairs in {args.folder}, {size / 1e6:.0f} MB")


if __name__ == "__main__":
    main()
