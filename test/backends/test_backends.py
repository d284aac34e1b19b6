"""All runtimes of the CPU load the shipped model, agree, and refuse what they cannot run."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scenes import motion, texture, view

from coarse_loftr_ros.backends.base import SHIPPED_MODELS, BackendError, ModelFiles
from coarse_loftr_ros.backends.gpu import find_gpu
from coarse_loftr_ros.backends.registry import choose_backend, create_backend
from coarse_loftr_ros.images.preprocessing import NetworkSize

ONNX_NAMES = ("openvino", "onnxruntime")
NAMES = (*ONNX_NAMES, "ncnn")
SIZE = NetworkSize(320, 224)


def network_image(homography):
    return view(texture(), homography, SIZE.width, SIZE.height)


@pytest.fixture(scope="module")
def backends():
    model = ModelFiles.load()
    return {name: create_backend(name, model, SIZE, 1, "fp32") for name in NAMES}


@pytest.mark.parametrize("name", NAMES)
def test_shapes_and_dtypes_are_those_of_the_protocol(backends, name):
    backend = backends[name]
    encoded = backend.encode(network_image(np.eye(3)))
    inside = encoded.fine[4:-4, 4:-4]
    assert inside.shape[:2] == (SIZE.height // 4, SIZE.width // 4)
    assert inside.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(inside, axis=2), 1, atol=1e-3)
    assert np.count_nonzero(encoded.fine) <= inside.size  # the frame is zero
    matches = backend.compare(encoded, encoded)
    cells = (SIZE.height // 16) * (SIZE.width // 16)
    assert matches.weight.shape == (cells, cells)
    assert (matches.weight > 0).all() and np.isfinite(matches.weight).all()
    np.testing.assert_allclose(matches.reference_sum, matches.weight.sum(axis=1), rtol=1e-4)
    np.testing.assert_allclose(matches.current_sum, matches.weight.sum(axis=0), rtol=1e-4)
    np.testing.assert_array_equal(matches.reference_max, matches.weight.max(axis=1))
    np.testing.assert_array_equal(matches.current_max, matches.weight.max(axis=0))
    assert (matches.confidence() >= 0).all() and (matches.confidence() <= 1 + 1e-5).all()


def test_the_runtimes_agree(backends):
    confidence = {}
    for name, backend in backends.items():
        a, b = (backend.encode(network_image(m)) for m in (np.eye(3), motion(9, 4, 5)))
        confidence[name] = backend.compare(a, b).confidence()
    np.testing.assert_allclose(confidence["openvino"], confidence["onnxruntime"], atol=1e-4)


@pytest.mark.parametrize("name", NAMES)
def test_kept_features_are_not_overwritten_by_the_next_image(backends, name):
    backend = backends[name]
    first = backend.encode(network_image(np.eye(3)))
    tokens, fine = np.array(first.tokens), first.fine.copy()
    backend.encode(network_image(motion(50, 20, 60)))
    np.testing.assert_array_equal(first.tokens, tokens)
    np.testing.assert_array_equal(first.fine, fine)


@pytest.mark.parametrize("name", NAMES)
def test_an_image_matches_itself_cell_by_cell(backends, name):
    backend = backends[name]
    encoded = backend.encode(network_image(np.eye(3)))
    confidence = backend.compare(encoded, encoded).confidence()
    assert (confidence.argmax(axis=1) == np.arange(len(confidence))).mean() > 0.95


@pytest.mark.parametrize("name", NAMES)
def test_brightness_and_contrast_do_not_matter(backends, name):
    backend = backends[name]
    half = network_image(np.eye(3)) // 2
    bright, dim = backend.encode(2 * half), backend.encode(half + 76)
    assert np.abs(bright.fine - dim.fine).max() < 0.02
    assert np.abs(bright.tokens - dim.tokens).max() < 0.1


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("size", [NetworkSize(640, 470), NetworkSize(100, 96)])
def test_a_size_that_does_not_fit_is_refused(name, size):
    with pytest.raises(BackendError, match=rf"network size {size}.*multiples of 32"):
        create_backend(name, ModelFiles.load(), size)


@pytest.mark.skipif(find_gpu() is not None, reason="this machine has an NVIDIA GPU")
def test_auto_without_a_gpu_prefers_openvino_and_says_why():
    choice = choose_backend("auto")
    assert choice.name == "openvino"
    assert choice.reason.startswith("auto: takes openvino; passed over: tensorrt (")
    assert ", cuda (" in choice.reason
    assert choice.reason.count("there is no NVIDIA GPU") == 2
    assert "pip install" not in choice.reason, "there is nothing that would help"


@pytest.mark.skipif(find_gpu() is not None, reason="this machine has an NVIDIA GPU")
@pytest.mark.parametrize("name", ["tensorrt", "cuda"])
def test_a_gpu_s_backend_is_refused_without_a_gpu_with_the_way_out(name):
    with pytest.raises(BackendError, match=rf"'{name}' is not available: .+; use 'openvino'"):
        choose_backend(name)


def test_a_signal_does_no_harm_after_backends_were_made_and_let_go():
    """Python's handlers run on the stack that OpenVINO registers, which must not be gone."""
    code = (
        "import os, signal\n"
        "from coarse_loftr_ros.backends.base import ModelFiles\n"
        "from coarse_loftr_ros.backends.registry import create_backend\n"
        "from coarse_loftr_ros.images.preprocessing import NetworkSize\n"
        "make = lambda: create_backend('openvino', ModelFiles.load(), NetworkSize(96, 64), 1)\n"
        "first, second = make(), make()\n"
        "del first\n"
        "del second\n"
        # A process that was started in the background may have inherited that it is ignored.
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "try:\n"
        "    os.kill(os.getpid(), signal.SIGINT)\n"
        "except KeyboardInterrupt:\n"
        "    print('interrupted')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (0, "interrupted\n"), done.stderr


def test_an_unknown_backend_is_refused_with_the_choices():
    with pytest.raises(BackendError, match="backend is 'vulkan'; it must be one of auto, tensorrt"):
        choose_backend("vulkan")


@pytest.fixture
def copied_model(tmp_path):
    folder = tmp_path / "model"
    shutil.copytree(ModelFiles.load().encode.parent, folder)
    return folder


def test_a_runtime_that_cannot_be_imported_is_refused_by_name(monkeypatch):
    monkeypatch.setitem(sys.modules, "coarse_loftr_ros.backends.openvino_backend", None)
    with pytest.raises(BackendError, match="backend 'openvino' cannot be loaded: "):
        create_backend("openvino", ModelFiles.load(), SIZE)


def test_a_folder_without_a_model_is_refused(tmp_path):
    with pytest.raises(BackendError, match=r"neither a model of the package"):
        ModelFiles.load(tmp_path)


def test_a_damaged_graph_is_refused(copied_model):
    graph = copied_model / "encode.onnx"
    content = bytearray(graph.read_bytes())
    content[len(content) // 2] ^= 1
    graph.write_bytes(content)
    with pytest.raises(BackendError, match=r"encode.onnx is damaged"):
        ModelFiles.load(copied_model)


@pytest.mark.parametrize("text", ["{", "[]", '{"sha256": {}}'])
def test_a_broken_description_is_refused(copied_model, text):
    (copied_model / "model.json").write_text(text)
    with pytest.raises(BackendError, match=r"model\.json cannot be used"):
        ModelFiles.load(copied_model)


@pytest.mark.parametrize("name", ONNX_NAMES)
def test_a_graph_that_is_no_onnx_is_refused(copied_model, name):
    import hashlib

    (copied_model / "encode.onnx").write_bytes(b"not a graph")
    facts = json.loads((copied_model / "model.json").read_text())
    facts["sha256"]["encode.onnx"] = hashlib.sha256(b"not a graph").hexdigest()
    (copied_model / "model.json").write_text(json.dumps(facts))
    with pytest.raises(BackendError, match="cannot load model"):
        create_backend(name, ModelFiles.load(copied_model), SIZE, precision="fp32")


def test_a_model_of_fixed_size_takes_only_that_size(copied_model):
    facts = json.loads((copied_model / "model.json").read_text())
    facts["size"] = [640, 480]
    (copied_model / "model.json").write_text(json.dumps(facts))
    model = ModelFiles.load(copied_model)
    with pytest.raises(BackendError, match="is fixed to 640x480, not 320x224"):
        model.check_size(SIZE)


def test_a_size_beyond_the_network_s_positions_is_refused():
    model = ModelFiles.load()
    with pytest.raises(BackendError, match="2560x400: both sides must be"):
        model.check_size(NetworkSize(2560, 400))
    with pytest.raises(BackendError, match="2560x320: both sides must be at most 2048 px"):
        model.check_size(NetworkSize(2560, 320))


@pytest.mark.parametrize(
    ("fact", "value"),
    [
        ("size_multiple", 0),
        ("coarse_stride", "16"),
        ("fine_scale", float("nan")),
        ("network_pixels", 1e300),
        ("size", [640]),
        ("size", [640, -480]),
        ("sha256", {"/dev/zero": "0"}),
        ("sha256", {}),
        ("calibration", "rising"),
    ],
)
def test_facts_that_cannot_be_are_refused_by_name(copied_model, fact, value):
    facts = json.loads((copied_model / "model.json").read_text())
    facts[fact] = value
    (copied_model / "model.json").write_text(json.dumps(facts))
    with pytest.raises(BackendError, match=r"model\.json cannot be used"):
        ModelFiles.load(copied_model)


@pytest.mark.parametrize("name", SHIPPED_MODELS)
def test_the_models_of_the_package_are_loaded_by_name(name):
    assert ModelFiles.load(name).encode.parent.name == name


def test_a_model_without_calibration_publishes_the_network_s_confidence(copied_model):
    facts = json.loads((copied_model / "model.json").read_text())
    facts.pop("calibration", None)
    (copied_model / "model.json").write_text(json.dumps(facts))
    assert ModelFiles.load(copied_model).calibration == ((0.0, 0.0), (1.0, 1.0))


@pytest.mark.parametrize(
    "curve", [[[0, 0]], [[0, 0.1], [1, 1]], [[0, 0], [0.5, 0.9], [1, 0.8]], [[0, 0], [1, 1.5]]]
)
def test_a_calibration_that_does_not_rise_is_refused(copied_model, curve):
    facts = json.loads((copied_model / "model.json").read_text())
    facts["calibration"] = curve
    (copied_model / "model.json").write_text(json.dumps(facts))
    with pytest.raises(BackendError, match="it must rise from"):
        ModelFiles.load(copied_model)


@pytest.mark.parametrize("name", NAMES)
def test_a_closed_backend_gives_its_threads_back_while_it_is_still_held(name):
    def threads():
        return len(list(Path("/proc/self/task").iterdir()))

    model = ModelFiles.load()
    held, seen = [], set()
    for _ in range(4):
        held.append(create_backend(name, model, SIZE, 2, "fp32"))
        held[-1].close()
        seen.add(threads())
    assert len(seen) == 1
