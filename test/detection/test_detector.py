"""From an image to boxes and a mask, through real runtimes."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from detectors import bright_detector, nanodet, write_graph

from coarse_loftr_ros.detection.description import DetectorError
from coarse_loftr_ros.detection.description_file import load_description
from coarse_loftr_ros.detection.detector import Detector, DetectorSettings
from coarse_loftr_ros.detection.masks import keep_mask


def lamps(*places: tuple[int, int], size=(320, 256), side: int = 8) -> np.ndarray:
    """A dark image with bright squares, their corners at these places."""
    image = np.zeros(size[::-1], np.uint8)
    for x, y in places:
        image[y : y + side, x : x + side] = 255
    return image


@pytest.fixture
def bright(tmp_path):
    return bright_detector(tmp_path)


def detector(file, **settings) -> Detector:
    return Detector(load_description(file), DetectorSettings(threads=1, **settings))


def test_boxes_are_where_things_are(bright):
    found = detector(bright).detect(lamps((80, 40), (160, 200)))
    assert sorted(found.boxes.round(3).tolist()) == [[80, 40, 88, 48], [160, 200, 168, 208]]
    assert found.classes == ("lamp", "lamp")
    np.testing.assert_allclose(found.scores, 1.0, rtol=1e-5)


def test_boxes_are_in_pixels_of_the_image_whatever_its_shape(bright):
    wide = lamps((160, 96), size=(1280, 512), side=32)  # a quarter, and 64 rows above and below
    np.testing.assert_allclose(detector(bright).detect(wide).boxes, [[160, 96, 192, 128]])
    high = lamps((16, 80), size=(128, 512), side=16)
    np.testing.assert_allclose(detector(bright).detect(high).boxes, [[16, 80, 32, 96]])


def test_an_image_of_another_shape_costs_less_where_the_graph_takes_any(tmp_path):
    seen = []
    finder = detector(bright_detector(tmp_path, more="multiple: 32\n"))
    run = finder._runtime.run
    finder._runtime.run = lambda tensor: seen.append(tensor.shape) or run(tensor)
    found = finder.detect(lamps((160, 96), size=(1280, 512), side=32))
    assert seen == [(1, 128, 320)]
    np.testing.assert_allclose(found.boxes, [[160, 96, 192, 128]])


def test_what_is_not_looked_for_is_not_found(bright):
    finder = detector(bright, classes=("dark",))
    assert len(finder.detect(lamps((80, 40)))) == 0
    finder.look_for(("lamp",), 0.9)
    assert len(finder.detect(lamps((80, 40)))) == 1
    with pytest.raises(DetectorError, match=r"class .cat. is none of detector bright.yaml; it"):
        finder.look_for(("cat",), 0.9)
    assert len(finder.detect(lamps((80, 40)))) == 1, "nothing has changed"


def test_boxes_of_the_same_thing_are_joined(tmp_path):
    output = np.float32([[8, 8, 40, 40, 0.8, 0], [9, 8, 41, 40, 0.9, 0], [100, 8, 140, 40, 0.7, 0]])
    write_graph(
        tmp_path / "fixed.onnx",
        [
            ("ReduceMean", ["image"], ["mean"], {"keepdims": 0}),
            ("Mul", ["mean", "zero"], ["nothing"], {}),
            ("Add", ["boxes", "nothing"], ["out"], {}),
        ],
        ("out",),
        {"zero": np.float32(0), "boxes": output},
    )
    file = tmp_path / "fixed.yaml"
    file.write_text(
        "model: fixed.onnx\nsize: [160, 64]\nmean: [0]\nclasses: [car]\n"
        "rows: {output: out, columns: [x1, y1, x2, y2, score, class]}\n"
    )
    found = detector(file).detect(np.zeros((64, 160), np.uint8))
    np.testing.assert_allclose(found.boxes, output[1:, :4])


def test_a_mask_leaves_out_boxes_and_what_is_near():
    boxes = np.float32([[10.4, 20.6, 15.5, 25.5], [-5, 0, 1, 2]])
    mask = keep_mask(boxes, 40, 50, 2)
    expected = np.full((40, 50), 255, np.uint8)
    expected[18:28, 8:18] = 0
    expected[0:4, 0:3] = 0
    np.testing.assert_array_equal(mask, expected)
    assert keep_mask(boxes[:0], 4, 5, 2).all()


# --- what cannot be ----------------------------------------------------------------------------


def changed(file, old: str, new: str):
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))
    return file


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("stride: 8", "stride: 16", "output 'scores' of bright.onnx is 1280x2; detector bright"),
        ("[lamp, dark]", "[lamp]", "is 1280x2; .* 1 classes"),
        ("scores: scores", "scores: points", "names output 'points'; bright.onnx has scores, dist"),
        ("classes:", "input: picture\nclasses:", "names input 'picture'; bright.onnx has image"),
        ("mean: [0]\nscale: [0.00392156862]", "mean: [0, 0, 0]", "cannot run .* in 3 channels"),
    ],
)
def test_a_description_that_does_not_fit_is_known_before_the_first_image(
    bright, old, new, sentence
):
    with pytest.raises(DetectorError, match=sentence):
        detector(changed(bright, old, new))


def test_a_damaged_graph_is_refused(bright):
    bright.with_suffix(".onnx").write_bytes(b"no graph")
    with pytest.raises(DetectorError, match=r"ONNX Runtime cannot load .*bright.onnx"):
        detector(bright)


def test_a_score_that_cannot_be_is_refused():
    with pytest.raises(ValueError, match=r"score is 0.0; allowed is above 0 to 1"):
        DetectorSettings(score=0.0)


# --- NanoDet on ncnn ---------------------------------------------------------------------------


@pytest.fixture
def nanodet_file(shared_dir, repository, tmp_path):
    return nanodet(shared_dir, repository, tmp_path)


def test_nanodet_finds_people_in_a_photograph(nanodet_file, shared_dir):
    photographs = sorted((shared_dir / "data/train/cc_coco256").glob("*.webp"))[:12]
    finder = detector(nanodet_file)
    found = [finder.detect(cv2.imread(str(each), cv2.IMREAD_GRAYSCALE)) for each in photographs]
    assert sum(each.classes.count("person") for each in found) >= 3
    assert any("train" in each.classes for each in found)
    (woman,) = (b for b, s in zip(found[4].boxes, found[4].scores, strict=True) if s > 0.7)
    height, width = cv2.imread(str(photographs[4]), cv2.IMREAD_GRAYSCALE).shape
    part = woman / (width, height, width, height)
    np.testing.assert_allclose(part, (0.35, 0.25, 0.98, 1.0), atol=0.04)


def test_weights_of_ncnn_that_are_damaged_are_refused(nanodet_file):
    folder = nanodet_file.parent
    source = load_description(nanodet_file).model
    (folder / "cut.param").write_bytes(source.read_bytes())
    (folder / "cut.bin").write_bytes(source.with_suffix(".bin").read_bytes()[:1000])
    with pytest.raises(DetectorError, match=r"ncnn cannot load .*cut.param with its .bin"):
        detector(changed(nanodet_file, str(source), "cut.param"))


def test_outputs_that_ncnn_does_not_have_are_named(nanodet_file):
    with pytest.raises(DetectorError, match=r"names output 'cls_pred'; nanodet-m-416.param has"):
        detector(changed(nanodet_file, "cls_pred_stride_16", "cls_pred"))
