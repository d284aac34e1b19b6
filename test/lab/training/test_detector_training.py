"""The commands of docs/training_a_detector.md, on drawn images: from boxes to a mask."""

from __future__ import annotations

import json
import re
import runpy
import shlex
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from torchvision_operators import import_torchvision

torch = pytest.importorskip("torch", reason="PyTorch is not installed (make test-train)")
pytest.importorskip("pycocotools", reason="pycocotools is not installed (make test-train)")
import_torchvision()

from torchvision import models

from coarse_loftr_ros.commands.registry import make_parser
from coarse_loftr_ros.detection.description_file import load_description
from coarse_loftr_ros.detection.detector import Detector, DetectorSettings
from coarse_loftr_ros.detection.masks import DetectorMasks

SMALL = "--epochs 1 --batch 4 --workers 0"
SIZE = (128, 96)


@pytest.fixture(scope="module")
def guide(repository: Path) -> str:
    return (repository / "docs" / "training_a_detector.md").read_text()


@pytest.fixture(scope="module")
def lines(guide: str) -> list[str]:
    """The commands of the guide."""
    blocks = re.findall(r"^```bash\n(.*?)^```", guide, re.MULTILINE | re.DOTALL)
    return [line.partition("  #")[0] for block in blocks for line in block.splitlines()]


def draw(data: Path, example: dict) -> None:
    """Eight images to train on and four to validate with, described as the guide's example is.

    All but the last of each have a bright rectangle.
    """
    random = np.random.default_rng(0)
    width, height = SIZE
    (data / "annotations").mkdir(parents=True)
    for part, count in (("train2017", 8), ("val2017", 4)):
        (data / part).mkdir()
        images, annotations = [], []
        for number in range(count):
            image = random.integers(0, 90, (height, width, 3), np.uint8)
            name = f"{number}.png"
            (like,) = example["images"]
            images.append(
                {**like, "id": number, "file_name": name, "width": width, "height": height}
            )
            if number < count - 1:
                w, h = random.integers(24, 48, 2).tolist()
                x, y = random.integers(0, (width - w, height - h)).tolist()
                image[y : y + h, x : x + w] = 255
                (like,) = example["annotations"]
                own = {"id": number + 1, "image_id": number, "bbox": [x, y, w, h], "area": w * h}
                annotations.append({**like, **own})
            cv2.imwrite(str(data / part / name), image)
        described = {**example, "images": images, "annotations": annotations}
        (data / "annotations" / f"instances_{part}.json").write_text(json.dumps(described))


def run_script(monkeypatch, line: str, **places: Path) -> None:
    """Run a script of the guide's in this process, with DATA, RUN and DETECTOR put in."""
    words = [str(places.get(word, word)) for word in shlex.split(line)]
    monkeypatch.setattr(sys, "argv", words)
    runpy.run_path(words[0], run_name="__main__")


@pytest.fixture(scope="module")
def places(guide: str, lines: list[str], repository: Path, tmp_path_factory) -> dict[str, Path]:
    """The folders of the guide, after its first block has run: one epoch, then the export."""
    folder = tmp_path_factory.mktemp("detector")
    found = {name: folder / name for name in ("DATA", "RUN", "DETECTOR")}
    (block,) = re.findall(r"^```json\n(.*?)^```", guide, re.MULTILINE | re.DOTALL)
    draw(found["DATA"], json.loads(block))
    train, export = (line.removeprefix("python ") for line in lines[1:3])
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(repository)
        # In place of a download: weights of COCO's 91 classes.
        name = "ssdlite320_mobilenet_v3_large"
        weights = models.get_model(name, weights=None, weights_backbone=None).state_dict()
        patch.setattr(models.WeightsEnum, "get_state_dict", lambda *_, **__: weights)
        run_script(patch, f"{train} {SMALL}", **found)
        run_script(patch, export, **found)
    return found


def test_an_epoch_is_trained_from_given_weights_but_those_of_other_classes(places) -> None:
    saved = torch.load(places["RUN"] / "detector.pt", weights_only=True)
    assert saved["classes"] == ["background", "forklift", "cart"]
    assert all(torch.isfinite(value).all() for value in saved["weights"].values())
    assert [path.name for path in places["RUN"].iterdir()] == ["detector.pt"]


def test_the_package_reads_the_export_and_makes_masks_of_its_boxes(places) -> None:
    description = load_description(places["DETECTOR"] / "detector.yaml")
    assert description.moving == ("forklift", "cart")
    detector = Detector(description, DetectorSettings(score=0.11))
    image = cv2.imread(str(places["DATA"] / "val2017" / "0.png"), cv2.IMREAD_GRAYSCALE)
    found = detector.detect(image)
    assert found.boxes.shape == (len(found), 4) and len(found.scores) == len(found) > 0
    assert (found.boxes >= 0).all() and (found.boxes <= [*SIZE, *SIZE]).all()
    assert set(found.classes) <= {"forklift", "cart"} and (found.scores >= 0.11).all()
    assert DetectorMasks(detector).mask(image).shape == image.shape


def test_onnx_and_pytorch_give_the_same_scores(places) -> None:
    saved = torch.load(places["RUN"] / "detector.pt", weights_only=True)
    network = models.get_model(
        saved["model"], weights=None, weights_backbone=None, num_classes=len(saved["classes"])
    )
    network.load_state_dict(saved["weights"])
    image = cv2.imread(str(places["DATA"] / "val2017" / "1.png"), cv2.IMREAD_GRAYSCALE)
    detector = Detector(
        load_description(places["DETECTOR"] / "detector.yaml"), DetectorSettings(score=0.11)
    )
    tensor, _, _ = detector._prepared(image)
    with torch.inference_mode():
        (expected,) = network.eval()([torch.from_numpy(tensor)])
    best = detector._runtime.run(tensor)["scores"][:20]
    np.testing.assert_allclose(best, expected["scores"][:20].numpy(), atol=1e-3)


def test_the_other_commands_of_the_guide_are_understood(
    places, lines, repository, monkeypatch, capsys
) -> None:
    monkeypatch.chdir(repository)
    (several,) = (line for line in lines if line.startswith("torchrun"))
    script = several.partition("torchrun --nproc_per_node=4 ")[2]
    with pytest.raises(SystemExit) as ended:
        run_script(monkeypatch, f"{script} {SMALL} --batch 9", **places)
    assert ended.value.code == "8 images for 1 processes make no batch of --batch each"
    (odometry,) = (line for line in lines if line.startswith("coarse-loftr"))
    read = make_parser().parse_args(shlex.split(odometry)[1:])
    assert str(read.mask_detector) == "DETECTOR/detector.yaml"
    (wide,) = (line for line in lines if "--width" in line)
    run_script(
        monkeypatch,
        wide.removeprefix("python "),
        RUN=places["RUN"],
        DETECTOR=places["DATA"].parent / "wide",
    )
    assert load_description(places["DATA"].parent / "wide" / "detector.yaml").width == 416


def test_data_that_cannot_be_used_are_named(places, lines, repository, monkeypatch, tmp_path):
    monkeypatch.chdir(repository)
    line = lines[1].removeprefix("python ")
    with pytest.raises(SystemExit, match=r"train2017 is not there: data are laid out as COCO's"):
        run_script(monkeypatch, line, DATA=tmp_path, RUN=tmp_path)
    strange = tmp_path / "strange"
    draw(strange, {"images": [{}], "annotations": [{"category_id": 3}], "categories": [{"id": 1}]})
    with pytest.raises(SystemExit, match=r"things of category 3, which it does not list"):
        run_script(monkeypatch, line, DATA=strange, RUN=tmp_path)
    export = lines[2].removeprefix("python ")
    with pytest.raises(SystemExit, match=r"detector\.pt is not there: .* folder of train_detector"):
        run_script(monkeypatch, export, RUN=tmp_path, DETECTOR=tmp_path)


@pytest.mark.parametrize(
    "words", ["train_detector.py A B --epochs 0", "export_detector.py A B --width 0"]
)
def test_numbers_that_make_no_sense_are_refused(words, repository, monkeypatch, capsys) -> None:
    monkeypatch.chdir(repository)
    with pytest.raises(SystemExit) as ended:
        run_script(monkeypatch, f"lab/detector/{words}")
    assert ended.value.code == 2
    assert "is 0; it must be at least 1" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda text: text[1:], r"instances_train2017\.json cannot be read as COCO's JSON: .*"),
        (lambda text: text.replace('"bbox"', '"box"'), r".*: annotation 1 has bbox None; .*"),
        (lambda text: text.replace("0.png", "a.png"), r".* has a\.png, which train2017 has not"),
        (lambda text: text.replace('"categories"', '"c"'), r".* lists no categories"),
    ],
)
def test_annotations_that_do_not_fit_are_named_before_training(
    spoil, message, guide, lines, repository, monkeypatch, tmp_path
) -> None:
    monkeypatch.chdir(repository)
    (block,) = re.findall(r"^```json\n(.*?)^```", guide, re.MULTILINE | re.DOTALL)
    draw(tmp_path / "data", json.loads(block))
    file = tmp_path / "data" / "annotations" / "instances_train2017.json"
    file.write_text(spoil(file.read_text()))
    with pytest.raises(SystemExit, match=message):
        run_script(monkeypatch, lines[1].removeprefix("python "), DATA=tmp_path / "data")


def test_annotations_without_area_and_iscrowd_can_be_validated_with(
    guide, lines, repository, monkeypatch, tmp_path
) -> None:
    monkeypatch.chdir(repository)
    (block,) = re.findall(r"^```json\n(.*?)^```", guide, re.MULTILINE | re.DOTALL)
    draw(tmp_path / "data", json.loads(block))
    for file in (tmp_path / "data" / "annotations").iterdir():
        file.write_text(re.sub(r'"(area|iscrowd)"', r'"own_\1"', file.read_text()))
    line = lines[1].removeprefix("python ").replace("--from-coco", SMALL)
    run_script(monkeypatch, line, DATA=tmp_path / "data", RUN=tmp_path / "run")
    assert (tmp_path / "run" / "detector.pt").is_file()


def test_the_guide_lists_every_option(guide: str, repository: Path) -> None:
    for name in ("train_detector", "export_detector"):
        text = (repository / "lab" / "detector" / f"{name}.py").read_text()
        for option in re.findall(r'"(--[a-z-]+)"', text):
            assert f"`{option}`" in guide, option
