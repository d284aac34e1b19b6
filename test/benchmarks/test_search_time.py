"""`benchmarks/search_time.py`: its rows, not its figures."""

import subprocess
import sys

import cv2
from scenes import texture


def test_a_search_has_a_row_beside_none(repository, tmp_path):
    for number in range(3):
        cv2.imwrite(str(tmp_path / f"{number}.png"), texture(seed=number))
    program = repository / "benchmarks/search_time.py"
    command = [sys.executable, program, tmp_path, "--pairs", "2", "--threads", "1"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    rows = [line.strip("| ").split(" | ") for line in done.stdout.splitlines()[2:]]
    assert [row[:2] for row in rows] == [["0", "2"], ["2", "2"], ["11", "2"]]
    assert float(rows[0][3]) < float(rows[1][3])
