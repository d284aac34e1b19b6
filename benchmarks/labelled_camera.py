"""Whether a model fine-tuned on labels of a camera is better on images of it that it never saw.

    python benchmarks/labelled_camera.py split RECORDING OUT
    coarse-loftr label OUT/first -o OUT/labels
    coarse-loftr train ... OUT/run                 # docs/training.md has the whole line
    coarse-loftr evaluate odometry OUT/last --model fast --model OUT/run/model --only-own \
        --gaps 1 4 8 --precision fp32 --json OUT/odometry.json
    python benchmarks/labelled_camera.py compare OUT/odometry.json

RECORDING is a folder in Open3D's layout (``image_0/``, ``trajectory*.log``, its depth camera of
525 px). ``first`` has its first two thirds, ``last`` the rest with its poses, in KITTI's layout.
Images overlap with their neighbours, so intervals come from samples of whole blocks of them.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from common.blocks import change

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lab"))

from coarse_loftr_lab.evaluation.tables import text_table
from coarse_loftr_ros.recordings.image_files import find_images
from coarse_loftr_ros.recordings.trajectories.files import kitti_text, read_trajectory
from coarse_loftr_ros.recordings.trajectories.trajectory import Trajectory


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a part; the exit status is 0."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parts = parser.add_subparsers(required=True)
    split = parts.add_parser("split", help="make OUT/first and OUT/last of a recording")
    split.add_argument("recording", type=Path)
    split.add_argument("out", type=Path)
    split.set_defaults(run=lambda args: split_recording(args.recording, args.out))
    compare = parts.add_parser("compare", help="print the models of a JSON side by side")
    compare.add_argument("figures", type=Path)
    compare.set_defaults(run=lambda args: print(comparison(json.loads(args.figures.read_text()))))
    args = parser.parse_args(arguments)
    args.run(args)
    return 0


def split_recording(recording: Path, out: Path) -> None:
    """Link the first two thirds of the images, and the last third with its poses."""
    images = find_images(recording / "image_0")
    (file,) = recording.glob("trajectory*.log")
    poses = read_trajectory(file, list(range(len(images)))).poses
    border = 2 * len(images) // 3
    last = out / "last"
    for folder, some in ((out / "first", images[:border]), (last / "image_0", images[border:])):
        folder.mkdir(parents=True)
        for image in some:
            (folder / image.name).symlink_to(image.resolve())
    path = Trajectory.of(list(range(len(images) - border)), list(poses[border:]))
    (last / "poses.txt").write_text(kitti_text(path.from_first()))
    (last / "calib.txt").write_text("P0: 525 0 319.5 0 0 525 239.5 0 0 0 1 0\n")


def comparison(figures: dict) -> str:
    """Direction errors of each model, and their differences from the first one's."""
    results = figures["report"]["results"]
    methods = list(dict.fromkeys(one["method"] for one in results))
    rows = []
    for gap in dict.fromkeys(one["gap"] for one in results):
        errors = {
            name: np.array(
                [
                    np.inf if one["direction_error_deg"] is None else one["direction_error_deg"]
                    for one in results
                    if one["gap"] == gap and one["method"] == name
                ]
            )
            for name in methods
        }
        first = errors[methods[0]]
        for name in methods:
            better = int(np.sum(errors[name] < first))
            low_quarter, high_quarter = np.percentile(errors[name], (25, 75), method="higher")
            rows.append(
                (
                    f"{gap}",
                    name,
                    f"{len(errors[name])}",
                    f"{np.median(errors[name]):.3f} ({low_quarter:.3f} to {high_quarter:.3f})",
                    "-" if name == methods[0] else change(errors[name], first),
                    "-" if name == methods[0] else f"{better}",
                )
            )
    header = ("gap", "model", "n", "direction deg (quartiles)", "change [95 %]", "pairs better")
    return text_table(header, rows)


if __name__ == "__main__":
    sys.exit(main())
