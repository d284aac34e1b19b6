"""`benchmarks/gpu.py` on a machine without a GPU: what it can prove, and that it claims no more."""

import json
import os
import subprocess
import sys

import pytest

from coarse_loftr_ros.backends.tensorrt.gpu import find_gpu

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
    assert "TensorRT has not run here: nothing above says anything about a GPU" in done.stdout
    values = json.loads(report.read_text())
    assert values["environment"]["gpu"] == "none, or no driver for it"
    fast = values["models"]["fast"]
    on_gpu = [row for row in fast["runtimes"] if row["runtime"].startswith("TensorRT")]
    assert len(on_gpu) >= 4
    for row in on_gpu:
        assert row["error"] == "there is no NVIDIA GPU, or no driver for it"
        assert "times_ms" not in row
    joined = [row for row in fast["runtimes"] if row not in on_gpu]
    assert joined
    for row in joined:
        assert "on the CPU" in row["runtime"]
        assert row["parity"]["overlap"] > 0.9 and row["parity"]["points_p95_px"] < 0.1
    assert "not measured" in fast["reconfiguration"] and "not measured" in fast["stereo_ms"]
    assert fast["floor"]["fp16"]["macs"] == fast["floor"]["fp32"]["macs"] > 1e6
    assert fast["floor"]["fp16"]["fused_bytes"] < fast["floor"]["fp32"]["fused_bytes"]
