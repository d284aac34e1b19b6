"""From a network's outputs to boxes, for each layout that a description knows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from coarse_loftr_ros.detection.description import (
    Boxes,
    Description,
    DetectorError,
    Head,
    Heads,
    Rows,
)

__all__ = ["Candidates", "candidates"]

Candidates = tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.int32]]
"""Boxes [N, 4] (x1, y1, x2, y2 from the image's edge, px), scores [N], class numbers [N]."""

Outputs = Mapping[str, NDArray]


def candidates(
    description: Description,
    outputs: Outputs,
    size: tuple[int, int],
    wanted: Sequence[int],
    score: float,
) -> Candidates:
    """What the outputs hold of the wanted classes, before boxes of the same thing are joined.

    Args:
        description: of the detector.
        outputs: of the network by name, without their batch.
        size: width and height of the network's image, in whose pixels the boxes are.
        wanted: numbers of the classes.
        score: least score.

    Raises:
        DetectorError: when an output has another shape than the description says, or names a
            class that it does not have.
    """
    layout = description.layout
    if isinstance(layout, Heads):
        found = [_head(description, head, outputs, size, wanted, score) for head in layout.heads]
        return tuple(np.concatenate(parts) for parts in zip(*found, strict=True))
    if isinstance(layout, Rows):
        boxes, scores, numbers = _rows(description, layout, outputs[layout.output], wanted)
    else:
        boxes, scores, numbers = _boxes(description, layout, outputs)
    beyond = numbers[(scores >= score) & (numbers >= len(description.classes))]
    if beyond.size:
        raise DetectorError(
            f"{description.model.name} gave class {beyond[0]}; detector {description.file.name} "
            f"has {len(description.classes)} classes, and the first is 0"
        )
    kept = (scores >= score) & np.isin(numbers, wanted)
    boxes = boxes[kept].astype(np.float32)
    if layout.units == "fraction":
        boxes *= np.float32([*size, *size])
    return boxes, scores[kept].astype(np.float32), numbers[kept].astype(np.int32)


def _head(
    description: Description,
    head: Head,
    outputs: Outputs,
    size: tuple[int, int],
    wanted: Sequence[int],
    score: float,
) -> Candidates:
    """One stride of NanoDet (https://github.com/RangiLyu/nanodet).

    Each distance is the mean of a distribution over bins of one stride (generalised focal loss).
    """
    scores, distances = outputs[head.scores], outputs[head.distances]
    columns, rows = (-(-side // head.stride) for side in size)
    classes = len(description.classes)
    if scores.shape != (rows * columns, classes):
        raise _misfit(description, head.scores, scores, f"{rows * columns}x{classes}")
    if distances.ndim != 2 or len(distances) != len(scores) or distances.shape[1] % 4:
        raise _misfit(description, head.distances, distances, f"{rows * columns}x(4 times bins)")
    of_wanted = scores[:, wanted]
    best = of_wanted.argmax(1)
    reached = np.take_along_axis(of_wanted, best[:, None], 1)[:, 0]
    at = np.flatnonzero(reached >= score)
    bins = distances[at].reshape(len(at), 4, distances.shape[1] // 4)
    weights = np.exp(bins - bins.max(2, keepdims=True))
    sides = weights @ np.arange(bins.shape[2], dtype=np.float32) / weights.sum(2)
    centres = np.stack([at % columns, at // columns], 1) + 0.5
    boxes = np.hstack([centres - sides[:, :2], centres + sides[:, 2:]]) * head.stride
    numbers = np.asarray(wanted, np.int32)[best[at]]
    return boxes.astype(np.float32), reached[at].astype(np.float32), numbers


def _rows(
    description: Description, layout: Rows, output: NDArray, wanted: Sequence[int]
) -> tuple[NDArray, NDArray, NDArray]:
    classes = len(description.classes)
    width = len(layout.columns) + (classes - 1 if "scores" in layout.columns else 0)
    if output.ndim != 2 or width not in output.shape:
        raise _misfit(description, layout.output, output, f"boxes x {width}")
    # Some write a row, some a column for each box.
    rows = output if output.shape[1] == width else output.T
    at = {name: index for index, name in enumerate(layout.columns)}
    boxes = rows[:, :4]
    if "cx" in at:
        boxes = np.hstack([boxes[:, :2] - boxes[:, 2:] / 2, boxes[:, :2] + boxes[:, 2:] / 2])
    if "score" in at:
        return boxes, rows[:, at["score"]], rows[:, at["class"]].astype(np.int32)
    # What stands behind 'scores' stands behind all of them.
    shift = classes - 1 if at.get("objectness", 0) > at["scores"] else 0
    of_wanted = rows[:, at["scores"] + np.asarray(wanted)]
    best = of_wanted.argmax(1)
    scores = of_wanted[np.arange(len(rows)), best]
    if "objectness" in at:
        scores = scores * rows[:, at["objectness"] + shift]
    return boxes, scores, np.asarray(wanted)[best]


def _boxes(
    description: Description, layout: Boxes, outputs: Outputs
) -> tuple[NDArray, NDArray, NDArray]:
    boxes = outputs[layout.boxes]
    if boxes.ndim != 2 or boxes.shape[1] != 4:
        raise _misfit(description, layout.boxes, boxes, "boxes x 4")
    scores, labels = (outputs[name].reshape(-1) for name in (layout.scores, layout.labels))
    for name, values in ((layout.scores, scores), (layout.labels, labels)):
        if len(values) != len(boxes):
            raise _misfit(description, name, outputs[name], f"{len(boxes)}, as many as boxes")
    return boxes, scores, labels.astype(np.int32)


def _misfit(description: Description, name: str, found: NDArray, wanted: str) -> DetectorError:
    shape = "x".join(map(str, found.shape)) or "one value"
    return DetectorError(
        f"output '{name}' of {description.model.name} is {shape}; detector {description.file.name}"
        f" (size, stride, {len(description.classes)} classes) makes it {wanted}"
    )
