"""`benchmarks/frame_cost.py`: its rows, not its figures."""

import subprocess
import sys

import cv2
from scenes import texture

from coarse_loftr_lab.evaluation.data.split import held_out


def test_each_setting_is_a_row_with_time_and_accuracy(repository, tmp_path):
    files = (tmp_path / f"{number}.png" for number in range(1000))
    cv2.imwrite(str(next(file for file in files if held_out(file))), texture())
    options = ["--pairs", "1", "--rounds", "1", "--threads", "1", "--network-pixels", "50000"]
    program = repository / "benchmarks/frame_cost.py"
    command = [sys.executable, program, tmp_path, *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    rows = [line.strip("| ").split(" | ") for line in done.stdout.splitlines()[2:]]
    settings = [tuple(row[:3]) for row in rows]
    assert settings == [("256x192", again, n) for again in ("yes", "never") for n in ("2", "1")]
    assert rows[0][3].startswith("1.00 [")
    assert all(len(row[4].split("/")) == 4 for row in rows)
