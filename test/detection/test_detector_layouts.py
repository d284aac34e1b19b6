"""Each layout of outputs becomes the same boxes; one that does not fit is named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from coarse_loftr_ros.detection.description import (
    Boxes,
    Description,
    DetectorError,
    Head,
    Heads,
    Rows,
)
from coarse_loftr_ros.detection.layouts import candidates

SIZE = 64, 32
CLASSES = ("person", "tree", "car")
BOX = (8.0, 4.0, 24.0, 20.0)
CENTRE = (16.0, 12.0, 16.0, 16.0)


def described(layout) -> Description:
    return Description(
        Path("d.yaml"), Path("net.onnx"), *SIZE, 0, (0.0,), (1.0,), 0, "", CLASSES, CLASSES, layout
    )


def found(layout, outputs, wanted=(0, 2), score=0.5):
    arrays = {name: np.asarray(values, np.float32) for name, values in outputs.items()}
    boxes, scores, numbers = candidates(described(layout), arrays, SIZE, wanted, score)
    return boxes.tolist(), [round(float(each), 3) for each in scores], numbers.tolist()


def rows(*columns, units="pixels") -> Rows:
    return Rows("out", columns, units)


SCORED = (0.1, 0.9, 0.75)  # a tree, more than a car


@pytest.mark.parametrize(
    ("layout", "row", "score"),
    [
        (rows("cx", "cy", "w", "h", "scores"), (*CENTRE, *SCORED), 0.75),
        (rows("x1", "y1", "x2", "y2", "scores"), (*BOX, *SCORED), 0.75),
        (rows("cx", "cy", "w", "h", "objectness", "scores"), (*CENTRE, 0.8, *SCORED), 0.6),
        (rows("cx", "cy", "w", "h", "scores", "objectness"), (*CENTRE, *SCORED, 0.8), 0.6),
        (rows("x1", "y1", "x2", "y2", "score", "class"), (*BOX, 0.75, 2), 0.75),
        (rows("x1", "y1", "x2", "y2", "class", "score"), (*BOX, 2, 0.75), 0.75),
    ],
)
def test_rows_in_any_order_and_turned_are_boxes(layout, row, score):
    output = np.zeros((20, len(row)), np.float32)
    output[7] = row
    for turned in (output, output.T):
        assert found(layout, {"out": turned}) == ([list(BOX)], [score], [2])


def test_fractions_are_of_the_networks_image():
    part = np.divide(BOX, (*SIZE, *SIZE))
    layout = rows("x1", "y1", "x2", "y2", "score", "class", units="fraction")
    assert found(layout, {"out": [[*part, 0.75, 2]]})[0] == [list(BOX)]


def test_boxes_scores_and_labels_are_matched_by_place():
    layout = Boxes("boxes", "scores", "labels", "pixels")
    outputs = {"boxes": [BOX, BOX, BOX], "scores": [0.9, 0.8, 0.2], "labels": [1, 2, 2]}
    assert found(layout, outputs) == ([list(BOX)], [0.8], [2])


def test_heads_are_distances_from_the_middle_of_a_cell():
    layout = Heads((Head(8, "s", "d"),))
    scores, distances = np.zeros((32, 3)), np.zeros((32, 4 * 5))
    scores[10] = SCORED  # column 2 of row 1: its middle is at (20, 12)
    distances[10].reshape(4, 5)[range(4), [1, 0, 2, 1]] = 50.0  # all but certainly these bins
    boxes, score, number = found(layout, {"s": scores, "d": distances})
    assert np.round(boxes, 3).tolist() == [[12.0, 12.0, 36.0, 20.0]]
    assert (score, number) == ([0.75], [2])
    assert found(layout, {"s": scores, "d": distances}, score=0.8) == ([], [], [])


@pytest.mark.parametrize(
    ("layout", "outputs", "sentence"),
    [
        (
            Heads((Head(8, "s", "d"),)),
            {"s": np.zeros((128, 3)), "d": np.zeros((128, 8))},
            "output 's' of net.onnx is 128x3; detector d.yaml (size, stride, 3 classes) makes it "
            "32x3",
        ),
        (Heads((Head(8, "s", "d"),)), {"s": np.zeros((32, 80)), "d": np.zeros((32, 8))}, "32x80"),
        (Heads((Head(8, "s", "d"),)), {"s": np.zeros((32, 3)), "d": np.zeros((32, 7))}, "32x7"),
        (rows("cx", "cy", "w", "h", "scores"), {"out": np.zeros((20, 84))}, "makes it boxes x 7"),
        (rows("cx", "cy", "w", "h", "scores"), {"out": np.zeros((1, 2, 3, 7))}, "is 1x2x3x7"),
        (
            Boxes("b", "s", "l", "pixels"),
            {"b": np.zeros((3, 4)), "s": np.zeros(3), "l": np.zeros(2)},
            "output 'l' of net.onnx is 2",
        ),
        (Boxes("b", "s", "l", "pixels"), {"b": 1.0, "s": 1.0, "l": 1.0}, "is one value"),
    ],
)
def test_outputs_of_another_shape_are_named(layout, outputs, sentence):
    with pytest.raises(DetectorError) as refusal:
        found(layout, outputs)
    assert sentence in str(refusal.value)


@pytest.mark.parametrize(
    ("layout", "outputs"),
    [
        (Boxes("b", "s", "l", "pixels"), {"b": [BOX, BOX], "s": [0.4, 0.9], "l": [7, 3]}),
        (rows("x1", "y1", "x2", "y2", "score", "class"), {"out": [(*BOX, 0.4, 7), (*BOX, 0.9, 3)]}),
    ],
)
def test_a_class_that_the_description_does_not_have_is_named(layout, outputs):
    with pytest.raises(DetectorError, match=r"net\.onnx gave class 3; detector d\.yaml has 3 clas"):
        found(layout, outputs)
