"""Figures are drawn of every kind of report, as files that can be opened."""

import json
import subprocess
import sys
import xml.etree.ElementTree as ET

import cv2
import numpy as np
import pytest

from coarse_loftr_lab.evaluation.plots import draw_report, recall_curve

DRAWN = ("tune", "random", "homography", "odometry", "stress", "calibration", "precision")


@pytest.mark.parametrize("kind", DRAWN)
def test_the_committed_figures_can_be_drawn(repository, tmp_path, kind):
    pytest.importorskip("matplotlib", reason="figures need matplotlib (pip install matplotlib)")
    figures = json.loads((repository / f"docs/results/{kind}.json").read_text())
    png, svg = draw_report(kind, figures["report"], tmp_path / "new")
    image = cv2.imread(str(png))
    assert min(image.shape[:2]) > 400 and image.std() > 5
    assert ET.parse(svg).getroot().tag.endswith("svg")
    again = draw_report(kind, figures["report"], tmp_path / "again")[1]
    assert again.read_bytes() == svg.read_bytes()


def test_pose_errors_are_drawn(tmp_path):
    pytest.importorskip("matplotlib", reason="figures need matplotlib (pip install matplotlib)")
    results = [
        {"method": "ours", "rotation_error_deg": 1.0, "direction_error_deg": 3.0},
        {"method": "ours", "rotation_error_deg": None, "direction_error_deg": None},
    ]
    assert all(file.is_file() for file in draw_report("pose", {"results": results}, tmp_path))


def test_recall_counts_failures_and_never_reaches_them():
    at = np.array([0.0, 1.0, 2.0, 1e9])
    assert recall_curve([1.0, None, 1.5, 3.0], at).tolist() == [0, 0.25, 0.5, 0.75]


def test_without_matplotlib_a_sentence_says_what_to_install(tmp_path):
    program = (
        "import sys; sys.modules['matplotlib'] = None\n"
        "from coarse_loftr_ros.commands.cli import main\n"
        f"sys.exit(main(['evaluate', 'random', {str(tmp_path)!r}, '--plots', 'figures']))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 2 and "pip install matplotlib" in done.stderr
