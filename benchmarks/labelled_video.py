"""Whether a model fine-tuned on labels of a video of a plane is better on the rest of the video.

    python benchmarks/labelled_video.py split VIDEO OUT
    coarse-loftr label OUT/first -o OUT/labels
    coarse-loftr train ... OUT/run                 # docs/training.md has the whole line
    python benchmarks/labelled_video.py measure OUT/last --model fast --model OUT/model

VIDEO has no truth: ``measure`` takes homographies of images aligned as wholes, independently of any
network, and says how far they differ from those aligned backwards, and from the chain of all images
between. Errors are means over the part of the reference that both images show; pairs that share
less than a tenth of it are left out. A pair whose status is LOST has an infinite error. Intervals
come from samples of whole blocks of neighbouring pairs.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from common.blocks import change
from common.dense_alignment import DenseAlignment, common_ground, ground_error
from numpy.typing import NDArray

from coarse_loftr_lab.evaluation.tables import text_table
from coarse_loftr_ros.backends.base import ModelFiles
from coarse_loftr_ros.images.frame import Frame
from coarse_loftr_ros.matching.frame_matching import MatchSettings
from coarse_loftr_ros.matching.pipeline import Pipeline
from coarse_loftr_ros.matching.pipeline_settings import PipelineSettings
from coarse_loftr_ros.matching.reference_policy import Consecutive
from coarse_loftr_ros.matching.result import Status
from coarse_loftr_ros.recordings.image_files import find_images, read_grey
from coarse_loftr_ros.recordings.input_report import InputReport
from coarse_loftr_ros.recordings.video import open_video

LEAST_COMMON = 0.1  # of the reference


@dataclass(frozen=True)
class PairResult:
    """A model on a pair.

    Attributes:
        error_px: mean over the common ground; infinite while LOST.
        inliers: matches that agree with the homography.
        ok: whether the status is OK.
    """

    error_px: float
    inliers: int
    ok: bool


@dataclass(frozen=True)
class Figure:
    """What is compared.

    Attributes:
        name: for the table.
        of: a pair's value.
        statistic: of all pairs, such as the median.
        places: decimals.
    """

    name: str
    of: Callable[[PairResult], float]
    statistic: Callable[..., NDArray[np.float64]]
    places: int

    def values(self, results: Sequence[PairResult]) -> NDArray[np.float64]:
        """Of each pair, float64 [N]."""
        return np.array([self.of(one) for one in results], np.float64)


FIGURES = (
    Figure("error px (median)", lambda one: one.error_px, np.median, 2),
    Figure("% within 1 px", lambda one: 100 * (one.error_px <= 1), np.mean, 1),
    Figure("% within 3 px", lambda one: 100 * (one.error_px <= 3), np.mean, 1),
    Figure("inliers (median)", lambda one: one.inliers, np.median, 0),
    Figure("% OK", lambda one: 100 * one.ok, np.mean, 1),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a part; the exit status is 0."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parts = parser.add_subparsers(required=True)
    split = parts.add_parser("split", help="make OUT/first and OUT/last of a video")
    split.add_argument("video", type=Path)
    split.add_argument("out", type=Path)
    split.set_defaults(run=lambda args: split_video(args.video, args.out))
    measure = parts.add_parser("measure", help="print how models do on pairs of images")
    measure.add_argument("images", type=Path, help="folder, in the order of the names")
    measure.add_argument("--model", action="append", required=True, help="repeatable")
    measure.add_argument("--gaps", type=int, nargs="+", default=[10, 20, 40, 60])
    measure.add_argument("--threads", type=int, default=1)
    measure.set_defaults(
        run=lambda args: print(measured(args.images, args.model, args.gaps, args.threads))
    )
    args = parser.parse_args(arguments)
    args.run(args)
    return 0


def split_video(video: Path, out: Path) -> None:
    """Write the first two thirds of the images, and the last third, as PNG."""
    capture = open_video(video, InputReport())
    images = []
    while (image := capture.read()[1]) is not None:
        images.append(image)
    border = 2 * len(images) // 3
    for name, numbers in (("first", range(border)), ("last", range(border, len(images)))):
        (out / name).mkdir(parents=True)
        for number in numbers:
            cv2.imwrite(str(out / name / f"{number:06d}.png"), images[number])


def measured(folder: Path, models: Sequence[str], gaps: Sequence[int], threads: int) -> str:
    """Tables of how consistent the homographies are that models are measured by, and of models.

    Raises:
        ValueError: when no pair of images shares enough, or images cannot be aligned.
    """
    images = [read_grey(file) for file in find_images(folder)]
    height, width = images[0].shape
    everything = len(common_ground(np.eye(3), width, height))
    alignment = DenseAlignment(images)
    pipelines = {model: _pipeline(model, (width, height), threads) for model in models}
    consistency, rows = [], []
    for gap in gaps:
        checks: list[tuple[float, float]] = []
        results: dict[str, list[PairResult]] = {model: [] for model in models}
        for one, other in enumerate(range(gap, len(images))):
            chained = alignment.chained(one, other)
            ground = common_ground(chained, width, height)
            if len(ground) < LEAST_COMMON * everything:
                continue
            truth = alignment.aligned(one, other, chained)
            back = np.linalg.inv(alignment.aligned(other, one, np.linalg.inv(chained)))
            checks.append((ground_error(back, truth, ground), ground_error(chained, truth, ground)))
            for model, pipeline in pipelines.items():
                pair = Frame(images[one]), Frame(images[other])
                results[model].append(_result(pipeline, *pair, truth, ground))
        if checks:
            (back, chain), far = np.median(checks, axis=0), np.percentile(checks, 95, axis=0)
            differences = f"{back:.2f} (95 %: {far[0]:.2f})", f"{chain:.2f} (95 %: {far[1]:.2f})"
            consistency.append((f"{gap}", f"{len(checks)}", *differences))
            rows += model_rows(gap, results)
    if not rows:
        raise ValueError(f"no images of {folder} that are {gaps} apart share a tenth of a view")
    header = ("gap", "n", "aligned backwards px", "chained px")
    models_header = ("gap", "model", "n", *(figure.name for figure in FIGURES))
    return "\n\n".join([text_table(header, consistency), text_table(models_header, rows)])


def model_rows(gap: int, results: dict[str, list[PairResult]]) -> list[list[str]]:
    """A row per model, each compared with the first one, of results of the same pairs."""
    first = next(iter(results.values()))
    rows = []
    for model, some in results.items():
        row = [f"{gap}", model, f"{len(some)}"]
        for figure in FIGURES:
            values, before = figure.values(some), figure.values(first)
            cell = f"{figure.statistic(values):.{figure.places}f}"
            if some is not first:
                cell += f", {change(values, before, figure.statistic, figure.places)}"
            row.append(cell)
        rows.append(row)
    return rows


def _pipeline(model: str, size: tuple[int, int], threads: int) -> Pipeline:
    settings = PipelineSettings(model=ModelFiles.load(model), threads=threads, precision="fp32")
    return Pipeline(settings, MatchSettings(), Consecutive(), size)


def _result(
    pipeline: Pipeline,
    reference: Frame,
    current: Frame,
    truth: NDArray[np.float64],
    ground: NDArray[np.float64],
) -> PairResult:
    found = pipeline.process_pair(reference, current).homography
    if found.status is Status.LOST:
        return PairResult(float("inf"), 0, False)
    error = ground_error(found.matrix, truth, ground)
    return PairResult(error, found.inlier_count, found.status is Status.OK)


if __name__ == "__main__":
    sys.exit(main())
