"""`benchmarks/gpu.py` on a machine without a GPU: what it can prove, and that it claims no more."""

import importlib.util
import json
import os
import subprocess
import sys
import time

import pytest

from coarse_loftr_ros.backends.base import SHIPPED_MODELS, BackendError, ModelFiles
from coarse_loftr_ros.backends.gpu import find_gpu
from coarse_loftr_ros.backends.tensorrt.builder import build_engine
from coarse_loftr_ros.images.preprocessing import network_size

pytest.importorskip("onnx", reason="onnx is not installed (make test has it)")


@pytest.mark.skipif(find_gpu() is not None, reason="this machine has an NVIDIA GPU")
def test_without_a_gpu_the_graphs_are_compared_and_nothing_is_claimed(repository, tmp_path):
    report = tmp_path / "gpu.json"
    options = ["--models", "fast", "--width", "256", "--height", "192", "--pairs", "2"]
    options += ["--rounds", "2", "--json", str(report)]
    done = subprocess.run(
        [
            sys.executable,
            repository / "benchmarks/gpu.py",
            *options,
        ],
        env={**os.environ, "XDG_CACHE_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    for library in ("TensorRT", "ONNX Runtime"):
        assert f"{library} has not run on a GPU here: nothing above says anything" in done.stdout
    lines = done.stdout.splitlines()
    assert len(lines) <= 32 and max(map(len, lines)) <= 170  # of one model, 60 of two
    values = json.loads(report.read_text())
    assert values["environment"]["gpu"] == "none, or no driver for it"
    fast = values["models"]["fast"]
    on_gpu = [row for row in fast["runtimes"] if row["runtime"].startswith("TensorRT")]
    assert len(on_gpu) >= 4
    for row in on_gpu:
        assert row["error"] == "there is no NVIDIA GPU, or no driver for it"
        assert "times_ms" not in row
    table = report.with_suffix(".md").read_text().splitlines()[2:]
    eager = [line for line in table if "eager PyTorch" in line]
    assert len(table) - len(eager) == len(fast["runtimes"])
    has_torch = importlib.util.find_spec("torch") is not None
    assert len(eager) == has_torch == ("fp32" in fast["eager_pytorch"])
    assert all(line.count("|") == 8 for line in table)
    assert sum("not run: there is no NVIDIA GPU" in line for line in table) == len(on_gpu)
    joined = [row for row in fast["runtimes"] if row not in on_gpu]
    assert len(joined) == 9
    for row in joined:
        assert row["runtime"].startswith("CPU ")
        assert row["parity"]["overlap"] > 0.9 and row["parity"]["points_p95_px"] < 0.1
    assert "not measured" in fast["reconfiguration"] and "not measured" in fast["stereo_ms"]
    assert len(fast["engines"]) == 6
    assert fast["floor"]["fp16"]["macs"] == fast["floor"]["fp32"]["macs"] > 1e6
    assert fast["floor"]["fp16"]["fused_bytes"] < fast["floor"]["fp32"]["fused_bytes"]


@pytest.fixture
def benchmarks(repository, monkeypatch):
    """The scripts of the folder as modules."""
    monkeypatch.syspath_prepend(repository / "benchmarks")
    return importlib.import_module


def test_a_part_that_fails_leaves_its_reason(benchmarks):
    def refuse():
        raise BackendError("no memory")

    attempt = benchmarks("gpu_parts.results").attempt
    assert attempt(refuse) == {"not measured": "BackendError: no memory"}
    assert attempt(lambda: {"ms": 1.0}) == {"ms": 1.0}


def test_the_table_has_what_a_gpu_would_give(benchmarks):
    """With figures that nobody measured: no machine of the tests has them."""
    spans = {step: {"p50": ms, "p95": 9.0} for step, ms in (("encode", 1), ("match", 2))}
    row = {
        "runtime": "TensorRT fp16, with CUDA graphs",
        "precision": "fp16",
        "cuda_graphs": "wanted",
        "recorded": "2 CUDA graphs",
        "parity": {"overlap": 0.999, "points_p95_px": 0.01},
        "times_ms": {**spans, "frame": {"p50": 3, "p95": 9.0}},
    }
    model = {
        "runtimes": [row, {**row, "precision": "fp32"}],
        "stereo_ms": {"2 runs of 1": {"p50": 5.0}, "1 runs of 2": {"p50": 4.0}},
        "reconfiguration": {"count": 50, "growth_mib": 0.25},
    }
    where = {"gpu": "Orin (8.7)", "driver": "540", "tensorrt": "TensorRT 10.3"}
    lines = benchmarks("gpu_parts.results").table({"environment": where, "models": {"fast": model}})
    header, _, first, second = lines.splitlines()
    assert header.count("|") == first.count("|") == second.count("|") == 8
    assert first == (
        "| Orin (8.7), 540, TensorRT 10.3 | fast, TensorRT fp16, with CUDA graphs | 2 CUDA graphs "
        "| 0.999, 0.010 px | 1.00 / 2.00 / 3.00 | 4.00 / 5.00 | +0.2 MiB after 50 |"
    )
    assert second.endswith("| 1.00 / 2.00 / 3.00 |  |  |")


def test_a_step_that_takes_too_long_is_measured_less_often(benchmarks):
    found = benchmarks("gpu_parts.times").timed(lambda: time.sleep(0.02), rounds=300, seconds=0.1)
    assert 1 <= found["rounds"] < 10 and found["p50"] >= 20


@pytest.mark.parametrize("name", SHIPPED_MODELS)
def test_both_images_become_one_engine(benchmarks, tensorrt_rtx, name):
    model = ModelFiles.load(name)
    size = network_size(640, 480, model.network_pixels, model.size_multiple)
    graph = benchmarks("gpu_parts.times").encode_graph(model, size, "fp16", 2)
    shape = (2, 1, size.height, size.width)
    built = build_engine(tensorrt_rtx, graph, {"grey_image": shape})
    assert built.shapes["grey_image"] == shape
    assert built.shapes["tokens"][:2] == (2, model.cells(size))
    assert built.shapes["fine"][:3] == (2, size.height // 4, size.width // 4)


def test_a_failure_is_kept_short(benchmarks):
    short = benchmarks("gpu_parts.results").short
    assert short("one\n  line") == "one line"
    assert len(short("word " * 100)) == 120 and short("word " * 100).endswith("...")
