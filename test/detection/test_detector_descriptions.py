"""What a description of a detector may say, and what is said about one that cannot be."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from coarse_loftr_ros.detection.coco import COCO, MOVING
from coarse_loftr_ros.detection.description import Boxes, DetectorError, Heads, Rows
from coarse_loftr_ros.detection.description_file import load_description

GOOD = {
    "model": "net.onnx",
    "size": [320, 256],
    "mean": [0, 0, 0],
    "classes": ["person", "tree"],
    "rows": {"output": "out", "columns": ["cx", "cy", "w", "h", "scores"]},
}
HEADS = [{"stride": 8, "scores": "a", "distances": "b"}]


@pytest.fixture
def described(tmp_path):
    """Reads a good description with some values changed; ``None`` takes a value away."""
    (tmp_path / "net.onnx").touch()

    def read(**changes):
        values = {k: v for k, v in (GOOD | changes).items() if v is not None}
        file = tmp_path / "net.yaml"
        file.write_text(yaml.safe_dump(values))
        return load_description(file)

    return read


def test_what_is_not_said_has_defaults(described):
    description = described()
    assert (description.width, description.height) == (320, 256)
    assert description.scale == (1.0, 1.0, 1.0)
    assert description.input == "" and description.multiple == 0
    assert description.moving == ("person",), "of its classes those that move"
    assert isinstance(described(rows=None, heads=HEADS).layout, Heads)
    boxes = {"boxes": "b", "scores": "s", "labels": "l", "units": "fraction"}
    assert described(rows=None, boxes=boxes).layout == Boxes("b", "s", "l", "fraction")


def test_coco_is_known_by_its_name(described):
    description = described(classes="coco")
    assert description.classes == COCO and len(set(COCO)) == 80
    assert description.moving == MOVING
    assert description.numbers(()) == tuple(COCO.index(name) for name in MOVING)
    assert description.numbers(("truck", "person")) == (7, 0)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"model": "gone.onnx"}, "its model {folder}/gone.onnx is not there"),
        ({"model": "net.pt"}, "model is 'net.pt'; allowed are .onnx, and .param of ncnn"),
        ({"model": None}, "model is None; it must be a name"),
        ({"size": 320}, "size is 320; it must be a list of 2 numbers"),
        ({"size": [320, 0]}, "size is 0; it must be a whole number, 32 to 4096"),
        ({"mean": "grey"}, "mean is 'grey'; it must be a list of numbers"),
        ({"scale": [1, 1]}, "mean has 3 values and scale 2; each has one for each channel, 1 or 3"),
        ({"classes": []}, "classes is []; it must be a list of names"),
        ({"moving": ["cat"]}, "moving names 'cat', which is not among its classes"),
        ({"rows": None}, "it describes no outputs; one of heads, rows, boxes must be there"),
        ({"heads": HEADS}, "it describes heads and rows outputs; one of"),
        ({"colour": "bgr"}, "the file has 'colour', which is unknown; known are boxes, classes"),
        ({"rows": ["x1"]}, "rows holds ['x1']; it must hold names with values"),
        ({"rows": {"output": "o", "columns": ["x"]}}, "columns of rows are x; allowed are x1, y1"),
        ({"rows": {"output": "o", "columns": 5}}, "columns of rows are 5; allowed are x1, y1"),
        ({"rows": {"output": "o"}}, "columns of rows are not said; allowed are x1, y1"),
        ({"rows": None, "heads": []}, "heads are none; one for each stride must be there"),
        (
            {"rows": GOOD["rows"] | {"units": "metres"}},
            "units of rows are 'metres'; allowed are pixels, fraction",
        ),
    ],
)
def test_what_cannot_be_is_refused_in_words(described, tmp_path, changes, sentence):
    with pytest.raises(DetectorError) as refusal:
        described(**changes)
    start = f"detector {tmp_path}/net.yaml: "
    assert str(refusal.value).startswith(start + sentence.format(folder=tmp_path))


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"a: [1", "is not YAML"), (b"\x93\xff", "is not YAML"), (b"- 1", "must hold names")],
)
def test_a_file_that_is_no_description_is_refused(tmp_path, content, words):
    file = tmp_path / "net.yaml"
    file.write_bytes(content)
    with pytest.raises(DetectorError, match=words):
        load_description(file)


def test_a_file_that_is_not_there_is_refused():
    with pytest.raises(DetectorError, match=r"/gone.yaml cannot be read: No such file"):
        load_description("/gone.yaml")


def test_a_class_that_is_unknown_is_named(described):
    with pytest.raises(DetectorError, match=r"class .lorry' is none of .*; it knows person, tree"):
        described().numbers(("person", "lorry"))


def test_every_description_of_the_repository_can_be_read(repository, tmp_path):
    files = sorted((repository / "config").glob("detector_*.yaml"))
    layouts = set()
    for file in files:
        copy = tmp_path / file.name
        copy.write_text(file.read_text())
        model = tmp_path / yaml.safe_load(file.read_text())["model"]
        model.touch()
        Path(model).with_suffix(".bin").touch()
        layouts.add(type(load_description(copy).layout))
    assert layouts == {Heads, Rows, Boxes}
