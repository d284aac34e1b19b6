"""`benchmarks/runtimes.py`: its rows, not its figures."""

import subprocess
import sys

import pytest


def test_runtimes_have_a_row_of_memory_and_agreement_and_one_of_time(repository):
    pytest.importorskip("ncnn", reason="ncnn is not installed (make test has it)")
    options = ["--size", "160x96", "--rounds", "2", "--model", "fast", "--runtime", "ncnn"]
    program = repository / "benchmarks/runtimes.py"
    done = subprocess.run(
        [sys.executable, program, *options], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    rows = [line.split(" | ") for line in done.stdout.splitlines() if line.startswith("| fast")]
    names = ["| fast fp32, onnxruntime", "| fast int8, onnxruntime", "| fast fp32, ncnn"]
    assert [row[0] for row in rows] == 2 * names
    assert float(rows[2][4].rstrip("%")) >= 99 and float(rows[2][5].rstrip(" |")) <= 0.02
    assert rows[3][3].startswith("1.00 [")
