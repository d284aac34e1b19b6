"""`coarse-loftr profile`: what is printed, written and drawn, and what it refuses."""

import json

import pytest

from coarse_loftr_lab.commands import profile
from coarse_loftr_ros.commands import cli

pytest.importorskip("onnx", reason="onnx is not installed (make test has it)")

SMALL = ("--size", "96x64", "--threads", "1", "--runs", "3")


@pytest.fixture(scope="module")
def done(run_tool, tmp_path_factory):
    """The command's run, its figures and its picture."""
    folder = tmp_path_factory.mktemp("profile")
    figures, picture = folder / "fast.json", folder / "fast.png"
    run = run_tool(
        *("profile", "fast", *SMALL, "--precision", "fp32", "--layers"),
        *("--json", figures, "--plot", picture),
    )
    assert run.returncode == 0, run.stderr
    return run, json.loads(figures.read_text()), picture


def test_both_runtimes_measure_both_graphs(done):
    _, figures, _ = done
    assert list(figures["runtimes"]) == ["openvino", "onnxruntime"]
    assert [graph["graph"] for graph in figures["graphs"]] == ["encode", "match"]
    for graph in figures["graphs"]:
        for runtime in figures["runtimes"]:
            counted = sum(layer[f"{runtime}_ms"] for layer in graph["layers"])
            assert counted == pytest.approx(graph["total"][f"{runtime}_ms"], rel=1e-3)
            assert counted > 0


def test_layers_and_blocks_have_the_same_sums(done):
    _, figures, _ = done
    for graph in figures["graphs"]:
        for count in ("parameters", "macs", "read_bytes", "written_bytes", "openvino_ms"):
            sums = [sum(one[count] for one in graph[part]) for part in ("layers", "blocks")]
            assert sums == pytest.approx([graph["total"][count]] * 2, rel=1e-3), count
        for block in graph["blocks"]:
            inside = [one for one in graph["layers"] if one["block"] == block["name"]]
            assert sum(one["macs"] for one in inside) == block["macs"]


def test_every_convolution_has_a_time_of_both_runtimes(done):
    _, figures, _ = done
    for graph in figures["graphs"]:
        for layer in graph["layers"]:
            if layer["operator"] == "Conv":
                assert layer["openvino_ms"] > 0 and layer["onnxruntime_ms"] > 0, layer["name"]


def test_the_table_names_blocks_layers_and_broken_rules(done):
    run, figures, _ = done
    for words in ("stage8 ", "cross_layers.0 ", "stage8.1/conv1/conv1.0/Conv (Conv 32 to 32)"):
        assert words in run.stdout
    for rule in ("channels", "groups", "fragmentation", "element-wise", "depth"):
        assert f"\n{rule}: " in run.stdout
    broken = [breach for graph in figures["graphs"] for breach in graph["broken_rules"]]
    assert {"channels", "fragmentation"} <= {breach["rule"] for breach in broken}
    for breach in broken:
        assert f"at {breach['where']}: {breach['what']}" in run.stdout
    assert "groups: convolutions have no groups, which move more bytes for the same " in run.stdout


def test_the_picture_is_one(done):
    assert done[2].read_bytes().startswith(b"\x89PNG")


def test_int8_is_measured_where_the_model_has_it(run_tool):
    done = run_tool("profile", "fast", *SMALL, "--backend", "openvino", "--precision", "int8")
    assert done.returncode == 0, done.stderr
    assert "CPU int8" in done.stdout and "onnxruntime" not in done.stdout


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("nowhere",), "'nowhere' is neither a model of the package"),
        (("fast", "--backend", "gpu"), "it must be one of auto, openvino, onnxruntime"),
        (("fast", "--backend", "tensorrt"), "it must be one of auto, openvino, onnxruntime"),
        (("fast", "--size", "100x64"), "size 100x64: both sides must be multiples of 32"),
        (("fast", "--size", "64"), "'64' is no size"),
        (("fast", "--precision", "fp8"), "must be one of auto, fp32, fp16, int8"),
        (("fast", "--precision", "fp16"), "openvino computes in int8 or fp32"),
        (("fast", "--runs", "0"), "runs is 0; it must be at least 1"),
        (("fast", "--threads", "-1"), "threads is -1; it must not be negative"),
        (("fast", "--plot", "picture.doc"), "its name must end with .png"),
    ],
)
def test_bad_input_ends_in_a_sentence(arguments, sentence, capsys):
    try:
        code = cli.main(["profile", *arguments])
    except SystemExit as ended:
        code = ended.code
    assert code == 2 and sentence in capsys.readouterr().err


@pytest.mark.parametrize("package", ["onnx", "onnxruntime", "matplotlib"])
def test_a_package_that_is_not_installed_is_named(package, monkeypatch, capsys):
    from coarse_loftr_ros.commands.common import plots

    def find_spec(name):
        return None if name == package else object()

    monkeypatch.setattr(profile, "find_spec", find_spec)
    monkeypatch.setattr(plots, "find_spec", find_spec)
    assert cli.main(["profile", "fast", "--plot", "picture.png"]) == 2
    said = capsys.readouterr().err
    assert f"needs {package}: pip install" in said


def test_a_runtime_that_is_not_installed_is_named(monkeypatch, capsys):
    monkeypatch.setattr(profile, "find_spec", lambda name: None if name == "openvino" else object())
    assert cli.main(["profile", "fast", "--backend", "openvino"]) == 2
    assert "openvino is not installed: pip install openvino" in capsys.readouterr().err
