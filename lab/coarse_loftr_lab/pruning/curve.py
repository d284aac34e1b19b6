"""What pruning costs and brings: figures of several sizes of one network, as a table."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coarse_loftr_lab.evaluation.data.kitti_sequence import KittiSequence
from coarse_loftr_lab.evaluation.data.random_homographies import RandomHomographies
from coarse_loftr_lab.evaluation.homography_accuracy import evaluate_homography
from coarse_loftr_lab.evaluation.own import OwnMatcher
from coarse_loftr_lab.evaluation.sequence_accuracy import evaluate_odometry
from coarse_loftr_lab.evaluation.tables import Table
from coarse_loftr_lab.evaluation.timing import Spread, own_subject, time_methods
from coarse_loftr_lab.pruning.pruned_run import Amount, PrunedRun
from coarse_loftr_lab.training.settings import TrainingSettings, make_settings, read_yaml
from coarse_loftr_ros.files.whole_files import whole_file
from coarse_loftr_ros.matching.pipeline import Pipeline

__all__ = [
    "Accuracy",
    "Size",
    "curve_table",
    "folder_name",
    "frame_times",
    "kept_accuracy",
    "retrain_settings",
]

GAPS = (1, 2, 4)
"""Images between those whose direction of translation is measured."""

Progress = Callable[..., None]


@dataclass(frozen=True)
class Accuracy:
    """How good a model is, in the pipeline that the node runs.

    Attributes:
        auc: of random homographies at 1, 3, 5 and 10 px, in [0, 1].
        direction_deg: median error of the direction of translation at each of ``GAPS``; empty
            without a sequence.
    """

    auc: tuple[float, ...]
    direction_deg: tuple[float, ...]


@dataclass(frozen=True)
class Size:
    """One row of the table.

    Attributes:
        name: of the model.
        threshold: that its channels reached; None of the whole network.
        parameters: of the network.
        macs: of one frame.
        accuracy: after retraining.
        ratio: its time per frame over the whole network's, round by round.
    """

    name: str
    threshold: float | None
    parameters: int
    macs: int
    accuracy: Accuracy
    ratio: Spread


def retrain_settings(
    pruned: PrunedRun, output: Path, images: Path, changes: dict[str, Any]
) -> TrainingSettings:
    """Settings of the run that trains a pruned network on.

    Raises:
        ValueError: for a change that is no setting.
        FileNotFoundError: without photographs.
    """
    values = read_yaml(pruned.settings)
    return make_settings({**values, "images": [str(images)], **changes}, output)


def kept_accuracy(
    pipeline: Pipeline,
    file: Path,
    pairs: RandomHomographies,
    sequence: KittiSequence | None,
    progress: Progress | None = None,
) -> Accuracy:
    """Measure a model, or read what was measured before with the same graphs and data.

    Args:
        pipeline: with the model.
        file: that keeps the figures.
        pairs: random homographies.
        sequence: with true poses.
        progress: called after each pair.
    """
    data = [len(pairs), sequence.name if sequence is not None else None]
    key = {"model": pipeline.settings.model.sha256, "data": data}
    if file.is_file():
        kept = json.loads(file.read_text())
        if kept["of"] == key:
            return Accuracy(tuple(kept["auc"]), tuple(kept["direction_deg"]))
    matcher = OwnMatcher(pipeline, pipeline.settings.model.name)
    auc = evaluate_homography([matcher], pairs, progress).summaries[0].auc
    direction: tuple[float, ...] = ()
    if sequence is not None:
        found = evaluate_odometry([matcher], sequence, GAPS, progress)
        direction = tuple(summary.median_direction_deg for summary in found.summaries)
    accuracy = Accuracy(tuple(figure.value for figure in auc), direction)
    with whole_file(file) as new:
        new.write_text(json.dumps({"of": key, **asdict(accuracy)}, indent=2) + "\n")
    return accuracy


def frame_times(
    pipelines: Sequence[Pipeline],
    frames: Sequence[NDArray[np.uint8]],
    rounds: int,
    progress: Progress | None = None,
) -> list[Spread]:
    """Time per frame over that of the first pipeline, all taking turns in this process."""
    subjects = [own_subject(str(number), each) for number, each in enumerate(pipelines)]
    return [times.ratios["0"] for times in time_methods(subjects, frames, rounds, 1, progress)]


def curve_table(sizes: Sequence[Size]) -> Table:
    """Threshold against cost and accuracy."""
    header = (
        "model",
        "threshold",
        "parameters",
        "MACs",
        "time",
        "AUC@1/3/5/10 px",
        "direction, deg",
    )
    whole = sizes[0]
    rows = [
        (
            size.name,
            "-" if size.threshold is None else f"{size.threshold:.3f}",
            f"{size.parameters / 1e6:.3f} M",
            f"{size.macs / 1e6:.0f} M ({size.macs / whole.macs:.0%})",
            f"{size.ratio.median:.2f} [{size.ratio.low:.2f}, {size.ratio.high:.2f}]",
            "/".join(f"{100 * share:.1f}" for share in size.accuracy.auc),
            "/".join(f"{error:.2f}" for error in size.accuracy.direction_deg) or "-",
        )
        for size in sizes
    ]
    return Table(header, tuple(rows))


def folder_name(amount: Amount) -> str:
    """Of the folder within the curve's that holds one size."""
    return str(amount).replace(" ", "_")
