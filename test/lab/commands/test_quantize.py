"""`coarse-loftr quantize`: a folder that the node loads, and a report about it."""

import json

import cv2
import pytest
from scenes import texture

from coarse_loftr_ros.backends.base import ModelFiles
from coarse_loftr_ros.backends.registry import create_backend
from coarse_loftr_ros.images.preprocessing import NetworkSize

pytest.importorskip("onnx", reason="onnx is not installed (make test has it)")


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photographs")
    for number in range(3):
        cv2.imwrite(str(folder / f"{number}.png"), texture(600, 450, seed=number))
    return folder


@pytest.fixture(scope="module")
def done(run_tool, photographs, tmp_path_factory):
    """The command's run, its model folder and its figures."""
    folder = tmp_path_factory.mktemp("models") / "mine"
    figures = folder.parent / "figures.json"
    run = run_tool(
        *("quantize", "fast", "--images", photographs, "--samples", 3, "--output", folder),
        *("--test", photographs, "--pairs", 3, "--threads", 1, "--json", figures),
    )
    assert run.returncode == 0, run.stderr
    return run, folder, json.loads(figures.read_text())


def test_the_folder_is_a_model_that_a_backend_loads_in_int8(done):
    _, folder, _ = done
    model = ModelFiles.load(folder)
    assert model.encode_int8 is not None and model.encode_int8.parent == folder
    assert model.calibration == ModelFiles.load().calibration
    assert json.loads((folder / "model.json").read_text())["int8"]["samples"] == 3
    backend = create_backend("openvino", model, NetworkSize(96, 64), 1, "int8")
    assert "int8" in backend.description


def test_the_report_has_accuracy_size_and_time_before_and_after(done):
    run, _, figures = done
    before, half, after = figures["report"]["rows"]
    assert [row["method"] for row in (before, half, after)] == [
        "fast fp32",
        "fast fp16",
        "fast int8",
    ]
    assert after["megabytes"] < half["megabytes"] < before["megabytes"]
    (on_pairs,) = after["results"]
    assert on_pairs["summary"]["pairs"] == 3 and on_pairs["summary"]["failures"] == 0
    assert on_pairs["change"]["low"] <= on_pairs["change"]["value"] <= on_pairs["change"]["high"]
    assert before["results"][0]["change"] == {"value": 0, "low": 0, "high": 0}
    assert 0 <= after["calibration_error"] < 0.2
    times = {time["name"]: time for time in figures["report"]["times"]}
    assert times["fast fp32, openvino"]["speedup"]["median"] == 1.0
    assert times["fast int8, openvino"]["milliseconds"]["median"] > 0
    for words in ("encoder 31 % of its size", "AUC@1 px", "calibration error", "times faster"):
        assert words in run.stdout


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("fast", "--images", "/nowhere"), "name a folder with --output"),
        (("nowhere", "--images", "/nowhere"), "neither a model of the package"),
        (("fast", "--images", "/nowhere", "-o", "out"), "there is no folder /nowhere"),
        (("fast", "--images", ".", "-o", "out", "--samples", 0), "samples is 0"),
    ],
)
def test_what_cannot_be_quantised_is_said_in_a_sentence(run_tool, arguments, sentence):
    refused = run_tool("quantize", *arguments)
    assert refused.returncode == 2 and sentence in refused.stderr
    assert "Traceback" not in refused.stderr


def test_the_comparison_takes_no_single_precision(run_tool, photographs):
    refused = run_tool("evaluate", "precision", photographs, "--precision", "int8")
    assert refused.returncode == 2 and "leave --backend and --precision out" in refused.stderr


def test_what_cannot_be_measured_is_said_before_anything_is_written(
    run_tool, photographs, tmp_path
):
    out = tmp_path / "out"
    words = ("quantize", "fast", "--images", photographs, "--output", out)
    for options, sentence in (
        (("--test", photographs, "--pairs", -2), "count is -2"),
        (("--test", photographs, "--homography", tmp_path / "absent"), "there is no folder"),
        (("--test", tmp_path), "has no image (.webp, .png"),
    ):
        refused = run_tool(*words, *options)
        assert refused.returncode == 2 and sentence in refused.stderr, refused.stderr
        assert not out.exists()


def test_a_photograph_that_is_none_is_named(run_tool, tmp_path):
    (tmp_path / "broken.png").touch()
    refused = run_tool(
        "quantize", "fast", "--images", tmp_path, "-o", tmp_path / "out", "--pairs", 0
    )
    assert refused.returncode == 2 and "broken.png is not an image" in refused.stderr
    assert "Traceback" not in refused.stderr
