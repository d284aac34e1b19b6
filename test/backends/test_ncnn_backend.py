"""ncnn matches as ONNX Runtime does, and says in a sentence what it cannot load."""

import hashlib
import importlib.util
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scenes import motion, texture, view

from coarse_loftr_ros.backends import self_check
from coarse_loftr_ros.backends.base import NCNN_GRAPHS, SHIPPED_MODELS, BackendError, ModelFiles
from coarse_loftr_ros.backends.registry import choose_backend, create_backend, installed_backends
from coarse_loftr_ros.backends.self_check import Agreement, drawn_pair
from coarse_loftr_ros.images.preprocessing import NetworkSize

ncnn = pytest.importorskip("ncnn", reason="ncnn is not installed (make test has it)")

SIZE = NetworkSize(96, 64)


@pytest.fixture
def model(tmp_path):
    """A copy of the model ``fast``."""
    folder = tmp_path / "model"
    shutil.copytree(ModelFiles.load().encode.parent, folder)
    return ModelFiles.load(folder)


def rewritten(model: ModelFiles, file: str, content: bytes) -> ModelFiles:
    """The model with another file, which its description knows."""
    description = model.encode.parent / "model.json"
    facts = json.loads(description.read_text())
    facts["sha256"][file] = hashlib.sha256(content).hexdigest()
    (model.encode.parent / file).write_bytes(content)
    description.write_text(json.dumps(facts))
    return ModelFiles.load(model.encode.parent)


@pytest.mark.parametrize("name", SHIPPED_MODELS)
@pytest.mark.parametrize("size", [NetworkSize(448, 320), NetworkSize(640, 480)], ids=str)
def test_matches_are_those_of_onnx_runtime(name, size):
    shipped = ModelFiles.load(name)
    images = [
        view(texture(), moved, size.width, size.height) for moved in (np.eye(3), motion(9, 4, 5))
    ]
    rows, columns = np.indices((size.height // 16, size.width // 16))
    centres = 16 * np.stack([columns.ravel(), rows.ravel()], axis=1).astype(np.float32) + 8
    ours, theirs = (
        backend.match(*map(backend.encode, images), lambda: centres, 0.2, len(centres))
        for backend in (create_backend(one, shipped, size, 1) for one in ("ncnn", "onnxruntime"))
    )
    both, i, j = np.intersect1d(ours.cell, theirs.cell, return_indices=True)
    assert len(both) > 300
    assert len(both) >= 0.99 * len(np.union1d(ours.cell, theirs.cell))
    apart = np.linalg.norm(ours.position[i] - theirs.position[j], axis=1)
    # A window with two equal maxima leaves the choice to rounding.
    assert np.quantile(apart, 0.99) <= 0.001 and (apart > 0.02).mean() < 0.003
    np.testing.assert_allclose(ours.confidence[i], theirs.confidence[j], atol=1e-3)


def test_features_are_read_and_not_changed():
    backend = create_backend("ncnn", ModelFiles.load(), SIZE, 1)
    first, second = (backend.encode(image) for image in drawn_pair(SIZE)[:2])
    before = [np.array(each) for each in (first.tokens, second.tokens)]
    backend.compare(first, second)
    np.testing.assert_array_equal(first.tokens, before[0])
    np.testing.assert_array_equal(second.tokens, before[1])


def test_features_and_matches_outlive_the_backend():
    backend = create_backend("ncnn", ModelFiles.load(), SIZE, 1)
    encoded = backend.encode(drawn_pair(SIZE)[0])
    weight, tokens = backend.compare(encoded, encoded).weight, np.array(encoded.tokens)
    expected = weight.copy()
    backend.close()
    create_backend("ncnn", ModelFiles.load(), SIZE, 1)
    np.testing.assert_array_equal(encoded.tokens, tokens)
    np.testing.assert_array_equal(weight, expected)


def test_memory_is_given_back():
    def resident_mb():
        return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 1e6

    def once():
        create_backend("ncnn", ModelFiles.load(), NetworkSize(320, 224), 1).close()

    for _ in range(3):
        once()
    before = resident_mb()
    for _ in range(20):
        once()
    assert resident_mb() - before < 10  # one of them holds 10


def test_auto_takes_it_where_there_is_nothing_else(monkeypatch):
    found = importlib.util.find_spec

    def without_the_others(name):
        return None if name in ("openvino", "onnxruntime", "tensorrt") else found(name)

    monkeypatch.setattr(importlib.util, "find_spec", without_the_others)
    choice = choose_backend("auto")
    assert choice.name == "ncnn" and installed_backends() == ["ncnn"]
    assert "openvino (not installed), onnxruntime (not installed)" in choice.reason
    backend = create_backend("auto", ModelFiles.load(), SIZE, 1)
    assert backend.description == f"ncnn {ncnn.__version__}, CPU fp32, 1 threads, 96x64"


def test_it_is_the_last_that_auto_takes():
    assert installed_backends()[-1] == "ncnn" and len(installed_backends()) > 1


def test_a_model_without_its_graphs_is_refused_with_the_way_to_them():
    model = replace(ModelFiles.load(), ncnn=None)
    with pytest.raises(BackendError, match=r"fast has no graphs for ncnn; .*'coarse-loftr ncnn'"):
        create_backend("ncnn", model, SIZE)


def test_a_model_with_some_of_its_graphs_is_refused(model):
    description = model.encode.parent / "model.json"
    facts = json.loads(description.read_text())
    del facts["sha256"]["match.ncnn.bin"]
    description.write_text(json.dumps(facts))
    with pytest.raises(BackendError, match=r"has files for ncnn, but not of match\.ncnn\.bin"):
        ModelFiles.load(model.encode.parent)


def test_graphs_of_other_runtimes_do_not_change_what_a_model_is(model):
    description = model.encode.parent / "model.json"
    facts = json.loads(description.read_text())
    for file in NCNN_GRAPHS:
        del facts["sha256"][file]
    description.write_text(json.dumps(facts))
    without = ModelFiles.load(model.encode.parent)
    assert without.ncnn is None and without.sha256 == model.sha256
    assert len(model.graphs()) == len(without.graphs()) + 4


def test_a_layer_that_ncnn_does_not_have_is_named(model):
    text = (model.ncnn / "encode.ncnn.param").read_bytes()
    text = text.replace(b"Reorg ", b"Einsum2 ", 1)
    with pytest.raises(BackendError, match=r"has no layer 'Einsum2' \(\w+ of encode.ncnn.param\)"):
        create_backend("ncnn", rewritten(model, "encode.ncnn.param", text), SIZE)


@pytest.mark.parametrize(
    ("file", "content", "sentence"),
    [
        ("encode.ncnn.param", b"not a graph", "no graph of ncnn: its first line is not 7767517"),
        ("encode.ncnn.param", b"", "no graph of ncnn"),
        ("encode.ncnn.param", b"7767517\n", r"encode.ncnn.param is damaged"),
        ("match.ncnn.bin", b"", "match.ncnn.bin is damaged or of another graph"),
        ("encode.ncnn.bin", b"not a graph" * 99, "encode.ncnn.bin is damaged or of another graph"),
    ],
)
def test_a_damaged_file_is_named(model, file, content, sentence):
    with pytest.raises(BackendError, match=f"cannot load model fast: .*{sentence}"):
        create_backend("ncnn", rewritten(model, file, content), SIZE)


@pytest.mark.parametrize(
    ("layer", "by", "sentence"),
    [
        (b"0=4 1=0", b"0=2 1=0", "shape"),  # half a pixel unshuffle
        (b" out1 ", b" out7 ", "no output out1"),
        (b"in0", b"in5", "no input in0"),
    ],
)
def test_a_graph_of_another_network_is_refused(model, layer, by, sentence):
    text = (model.ncnn / "encode.ncnn.param").read_bytes()
    assert layer in text
    changed = rewritten(model, "encode.ncnn.param", text.replace(layer, by))
    with pytest.raises(BackendError, match=sentence):
        create_backend("ncnn", changed, SIZE)


def test_a_version_that_computes_something_else_is_refused(monkeypatch):
    monkeypatch.setattr(ncnn, "__version__", "1.0.20250916")
    with pytest.raises(BackendError, match=r"ncnn is 1.0.20250916; it must be 1.0.20260114"):
        create_backend("ncnn", ModelFiles.load(), SIZE)


def test_fp16_is_refused_on_a_cpu_without_it(monkeypatch):
    monkeypatch.setattr(ncnn, "cpu_support_arm_asimdhp", lambda: 0)
    with pytest.raises(BackendError, match=r"'fp16'; ncnn computes in it on ARM .*use 'fp32'"):
        create_backend("ncnn", ModelFiles.load(), SIZE, 1, "fp16")


class TestFp16WhereTheCpuHasIt:
    @pytest.fixture(autouse=True)
    def half(self, monkeypatch):
        monkeypatch.setattr(ncnn, "cpu_support_arm_asimdhp", lambda: 1)

    def test_it_is_used_when_it_matches_as_fp32_does(self):
        backend = create_backend("ncnn", ModelFiles.load(), NetworkSize(320, 224), 1, "fp16")
        assert backend.precision == "fp16" and "CPU fp16, 1 threads" in backend.description

    def test_it_is_refused_with_the_figures_otherwise(self, monkeypatch):
        worse = Agreement(200, 0.5, 0.01, 0.01, 0.9, 0.9)
        monkeypatch.setattr(self_check, "agreement", lambda *_: worse)
        with pytest.raises(BackendError, match=r"CPU fp16.* does not match as in fp32: .*50\.0%"):
            create_backend("ncnn", ModelFiles.load(), SIZE, 1, "fp16")
