"""Which number format a runtime computes in, and what it says about it."""

import platform
from dataclasses import replace

import pytest

from coarse_loftr_ros.backends.base import SHIPPED_MODELS, BackendError, ModelFiles
from coarse_loftr_ros.backends.precision import PRECISION_NAMES, can_compute, choose_precision
from coarse_loftr_ros.backends.registry import create_backend
from coarse_loftr_ros.images.preprocessing import NetworkSize

RUNTIMES = ("openvino", "onnxruntime", "ncnn", "tensorrt", "cuda")
SIZE = NetworkSize(96, 64)


@pytest.fixture
def float_model():
    return replace(ModelFiles.load(), encode_int8=None)


@pytest.fixture
def int8_model(float_model):
    return replace(float_model, encode_int8=float_model.encode)


def test_auto_is_the_best_of_each_runtime(int8_model):
    best = {runtime: choose_precision("auto", runtime, int8_model) for runtime in RUNTIMES}
    assert best == {
        "openvino": "int8",
        "onnxruntime": "fp32",
        "ncnn": "fp32",
        "tensorrt": "fp16",
        "cuda": "fp32",
    }


@pytest.mark.parametrize("name", SHIPPED_MODELS)
def test_the_models_of_the_package_have_int8_graphs(name):
    model = ModelFiles.load(name)
    assert model.encode_int8 is not None and model.encode_int8.is_file()


def test_auto_leaves_out_int8_where_it_was_not_measured(int8_model, monkeypatch):
    monkeypatch.setattr(platform, "machine", lambda: "aarch64")
    assert choose_precision("auto", "openvino", int8_model) == "fp32"
    assert choose_precision("int8", "openvino", int8_model) == "int8"


def test_auto_does_without_a_graph_that_the_model_does_not_have(float_model):
    assert choose_precision("auto", "openvino", float_model) == "fp32"


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("name", PRECISION_NAMES)
def test_what_is_possible_is_chosen_and_all_else_refused_by_name(int8_model, runtime, name):
    refusals = {
        ("openvino", "fp16"): "'fp16'; openvino computes in int8 or fp32",
        ("ncnn", "int8"): "'int8'; ncnn computes in fp32 or fp16",
    }
    if (runtime, name) in refusals:
        with pytest.raises(BackendError, match=refusals[runtime, name]):
            choose_precision(name, runtime, int8_model)
    else:
        assert choose_precision(name, runtime, int8_model) in PRECISION_NAMES[1:]


def test_an_unknown_precision_is_refused_with_the_choices(float_model):
    sentence = "precision is 'int4'; it must be one of auto, fp32, fp16, int8"
    with pytest.raises(BackendError, match=sentence):
        create_backend("onnxruntime", float_model, SIZE, precision="int4")


def test_int8_without_a_graph_is_refused_with_the_way_to_one(float_model):
    with pytest.raises(BackendError, match=r"model fast has no int8 graph; .*quantize"):
        choose_precision("int8", "onnxruntime", float_model)


@pytest.mark.parametrize(
    ("runtime", "precision"),
    [
        ("openvino", "fp32"),
        ("openvino", "int8"),
        ("onnxruntime", "fp32"),
        ("onnxruntime", "fp16"),
        ("onnxruntime", "int8"),
        ("ncnn", "fp32"),
    ],
)
def test_a_backend_says_in_what_it_computes(runtime, precision):
    pytest.importorskip("onnx", reason="onnx is not installed (make test has it)")
    backend = create_backend(runtime, ModelFiles.load(), SIZE, 1, precision)
    assert backend.precision == precision
    assert f"CPU {precision}, 1 threads" in backend.description


def test_what_can_be_used_depends_on_runtime_and_model(int8_model):
    without = replace(int8_model, encode_int8=None, ncnn=None)
    assert can_compute("openvino", "int8", int8_model) and can_compute("ncnn", "fp32", int8_model)
    assert not can_compute("openvino", "int8", without)
    assert not can_compute("ncnn", "fp32", without)
    assert not can_compute("ncnn", "int8", int8_model)
