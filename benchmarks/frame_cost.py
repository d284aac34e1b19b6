"""What a frame costs and brings: image size, second pass and points per cell, each with each.

    python benchmarks/frame_cost.py PHOTOGRAPHS --sequence KITTI --threads 2

Each row is the pipeline with other settings: pixels of the image that the network sees, whether a
pair that differs is matched once more as the reference saw it, and how many points of each matched
cell are aligned. Accuracy is that of random homographies of photographs that training leaves out,
and the median error of the direction of translation 1, 2 and 4 images apart on the sequence; time
per frame is on its images, or on a drawn flight, as a ratio to the first row's, all in turns.
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from coarse_loftr_lab.evaluation.data.kitti_sequence import KittiSequence
from coarse_loftr_lab.evaluation.data.random_homographies import RandomHomographies
from coarse_loftr_lab.evaluation.homography_accuracy import evaluate_homography
from coarse_loftr_lab.evaluation.own import OwnMatcher
from coarse_loftr_lab.evaluation.sequence_accuracy import evaluate_odometry
from coarse_loftr_lab.evaluation.tables import Table
from coarse_loftr_lab.evaluation.timing import own_subject, time_methods
from coarse_loftr_ros.backends.base import ModelFiles
from coarse_loftr_ros.matching.frame_matching import MatchSettings
from coarse_loftr_ros.matching.pipeline import Pipeline
from coarse_loftr_ros.matching.pipeline_settings import PipelineSettings
from coarse_loftr_ros.matching.reference_policy import Consecutive
from coarse_loftr_ros.recordings.rendered.flight import Flight
from coarse_loftr_ros.recordings.rendered.scene import draw_landscape

GAPS = (1, 2, 4)
PIXELS = (0, 240_000, 90_000, 50_000)
SECOND_PASS = {"yes": MatchSettings().search.second_pass, "never": 10.0}


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("photographs", type=Path)
    parser.add_argument("--sequence", type=Path, help="KITTI's layout, with poses")
    parser.add_argument("--model", default="fast", metavar="NAME|DIR")
    parser.add_argument(
        "--network-pixels",
        type=int,
        nargs="+",
        default=PIXELS,
        metavar="PX",
        help="of the image that the network sees, 0: what the model was made for (%(default)s)",
    )
    parser.add_argument("--pairs", type=int, default=100, help="random ones (%(default)s)")
    parser.add_argument("--rounds", type=int, default=20, help="turns of each row (%(default)s)")
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args(arguments)
    model = ModelFiles.load(args.model)
    pairs = RandomHomographies(args.photographs, args.pairs)
    sequence = KittiSequence(args.sequence) if args.sequence else None
    settings = list(itertools.product(args.network_pixels, SECOND_PASS, (2, 1)))
    pipelines = [make_pipeline(model, *each, args.threads) for each in settings]
    sizes = [str(pipeline.backend.size) for pipeline in pipelines]  # of VGA images
    subjects = [own_subject(str(number), each) for number, each in enumerate(pipelines)]
    times = time_methods(subjects, frames(sequence), args.rounds)
    rows = []
    for (_, second_pass, points), pipeline, spent, size in zip(
        settings, pipelines, times, sizes, strict=True
    ):
        ratio = spent.ratios["0"]
        rows.append(
            (
                *(size, second_pass, str(points)),
                f"{ratio.median:.2f} [{ratio.low:.2f}, {ratio.high:.2f}]",
                *accuracy(OwnMatcher(pipeline, model.name), pairs, sequence),
            )
        )
    columns = ("network image", "second pass", "points per cell", "time", "AUC@1/3/5/10 px")
    print(Table((*columns, "direction, degrees"), tuple(rows)).markdown())
    return 0


def make_pipeline(
    model: ModelFiles, network_pixels: int, second_pass: str, points: int, threads: int
) -> Pipeline:
    """The pipeline that the node runs, with these settings."""
    default = MatchSettings()
    match = replace(
        default,
        search=replace(default.search, second_pass=SECOND_PASS[second_pass]),
        refinement=replace(default.refinement, points_per_cell=points),
    )
    settings = PipelineSettings(model=model, network_pixels=network_pixels, threads=threads)
    return Pipeline(settings, match, Consecutive())


def frames(sequence: KittiSequence | None) -> list[NDArray[np.uint8]]:
    """Consecutive images of a camera."""
    if sequence is not None:
        return [sequence.image(number) for number in range(min(len(sequence), 40))]
    return [frame.image for frame in Flight(draw_landscape(), seconds=2.0).frames()]


def accuracy(
    matcher: OwnMatcher, pairs: RandomHomographies, sequence: KittiSequence | None
) -> tuple[str, str]:
    """Areas under the curve of corner errors, and medians of the direction's error."""
    found = evaluate_homography([matcher], pairs).summaries[0].auc
    auc = "/".join(f"{100 * figure.value:.1f}" for figure in found)
    if sequence is None:
        return auc, "-"
    moved = evaluate_odometry([matcher], sequence, GAPS).summaries
    return auc, "/".join(f"{summary.median_direction_deg:.2f}" for summary in moved)


if __name__ == "__main__":
    raise SystemExit(main())
