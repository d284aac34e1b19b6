"""What soak.py and fuzz.py measure: growth, finite numbers, counts; and their table."""

import math
import os
import re
import subprocess
import sys

import numpy as np
import pytest
from reliability.table import Row, print_report, write_into
from reliability.vital_signs import Sample, Trend, VitalSigns, theil_sen, trend

MINUTES_20 = np.arange(0.0, 1200.0, 0.5)


def samples(memory_mib, threads=20, descriptors=30):
    ones = np.ones(len(MINUTES_20), int)
    return [
        Sample(*values, peak_mib=200.0)
        for values in zip(MINUTES_20, memory_mib, threads * ones, descriptors * ones, strict=True)
    ]


def test_a_slow_leak_is_found_under_noise():
    noise = np.random.default_rng(0).normal(0, 3.0, len(MINUTES_20))
    found = trend(samples(200 + noise + 2.0 * MINUTES_20 / 600))
    assert found.slope_mib_per_10_min == pytest.approx(2.0, abs=0.3)
    assert "memory grows by" in found.faults[0]


def test_noise_single_steps_and_what_is_given_back_are_no_leak():
    rng = np.random.default_rng(0)
    memory = 200 + rng.normal(0, 3.0, len(MINUTES_20))
    memory[100] += 500.0
    memory[rng.random(len(memory)) < 0.1] += 80.0
    assert not trend(samples(memory)).faults
    teeth = 200 + 0.3 * (MINUTES_20 % 6)
    assert not trend(samples(teeth)[:500]).faults


def test_memory_that_differs_between_seasons_is_compared_within_them():
    times = MINUTES_20[:750]
    seasons = [str(int(time // 75) % 4) for time in times]  # all four, and the first once more
    memory = np.array([200.0 + 10.0 * int(season) for season in seasons])
    assert theil_sen(times, memory, seasons) == 0.0
    stepwise = 0.5 * (times // 75)  # a leak at each change of season
    assert theil_sen(times, memory + stepwise, seasons) == pytest.approx(0.5 / 75)


def test_a_short_time_is_not_long_enough():
    leaking = samples(200 + MINUTES_20)[:100]
    assert not trend(leaking).long_enough
    assert not trend(leaking).faults


@pytest.mark.parametrize("name", ["threads", "descriptors"])
def test_threads_and_descriptors_must_not_grow(name):
    growing = 20 + (MINUTES_20 > 900)
    assert trend(samples(np.full(len(MINUTES_20), 200.0), **{name: growing})).faults == [
        f"{name} grew from 20 to 21"
    ]


def test_memory_that_is_taken_at_one_time_is_bounded():
    found = Trend(0.5, (200.0, 200.0), 0.0, (1, 1), (1, 1), peak_mib=3807.0)
    assert found.faults == ["3807 MiB at one time; 1024 are allowed"]


def test_the_slope_of_one_sample_is_zero():
    assert theil_sen([1.0], [5.0]) == 0.0
    assert trend([]).faults == []


def test_a_process_is_measured_as_it_is():
    filling = "import time; kept = bytearray(50 << 20); print(flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", filling], stdout=subprocess.PIPE) as process:
        try:
            process.stdout.readline()
            sample = Sample.of(process.pid)
        finally:
            process.kill()
    assert 50 < sample.memory_mib < 80
    assert sample.threads == 1
    assert 3 <= sample.descriptors < 10
    assert sample.peak_mib > sample.memory_mib


def test_a_process_that_is_gone_is_not_measured():
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    signs = VitalSigns(process.pid)
    signs.look()
    assert signs.trend(since=0.0).seconds == 0.0


def row(faults):
    return Row("node", 5, (2, 2), 0.1, {"size": 3}, trend([]), alive=True, faults=faults)


def test_a_fault_is_the_exit_status_and_stands_below_the_table(capsys, tmp_path):
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- fuzz -->\nold\n<!-- end of fuzz -->\nbehind\n")
    assert print_report("fuzz", ["9", "--table", "page.md"], [row([])], 60.0, page) == 0
    assert "No fault was found." in page.read_text()
    assert print_report("fuzz", ["9", "--table", "page.md"], [row(["it died"])], 60.0, page) == 1
    text = page.read_text()
    assert text.startswith("before\n<!-- fuzz -->\n`python benchmarks/fuzz.py 9`: 1.0 minutes on ")
    assert text.endswith("- FAULT: node: it died\n<!-- end of fuzz -->\nbehind\n")
    assert "old" not in text and "No fault" not in text
    assert f"on {os.cpu_count()} cores" in text
    table = [line for line in text.splitlines() if line.startswith("|")]
    assert len({line.count("|") for line in table}) == 1
    assert capsys.readouterr().out.count("| node | 5 | 2 of 2 | 0.1 | 3 size |") == 2


def test_a_document_without_the_lines_is_refused():
    with pytest.raises(ValueError, match=r"<!-- end of soak -->.* 0 times"):
        write_into("no lines", "soak", "text")


def test_numbers_that_are_not_finite_are_found_at_any_depth():
    pytest.importorskip("rclpy", reason="ROS 2 is not installed")
    from geometry_msgs.msg import PoseStamped
    from nav_msgs.msg import Odometry, Path
    from reliability.answers import not_finite

    from coarse_loftr_msgs.msg import Correspondences, HomographyStamped

    message = Odometry()
    assert not_finite(message) == []
    message.pose.covariance[7] = math.nan
    message.twist.twist.linear.x = math.inf
    assert not_finite(message) == ["pose.covariance", "twist.twist.linear.x"]
    path = Path(poses=[PoseStamped(), PoseStamped()])
    path.poses[1].pose.position.z = -math.inf
    assert not_finite(path) == ["poses[1].pose.position.z"]
    matches = Correspondences(current_points=np.array([1.0, math.nan], np.float32))
    assert not_finite(matches) == ["current_points"]
    homography = HomographyStamped(rms_px=math.inf, status=HomographyStamped.OK)
    assert not_finite(homography) == ["rms_px"]
    homography.status = HomographyStamped.LOST  # of which the message says so
    assert not_finite(homography) == []


def test_counts_go_on_over_an_activation():
    pytest.importorskip("rclpy", reason="ROS 2 is not installed")
    from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
    from reliability.answers import Ledger

    ledger = Ledger("/ns/matcher")
    for name, value in (("/ns/matcher", 3), ("/ns/matcher", 5), ("/ns/matcher_2", 99),
                        ("/ns/matcher", 2), ("/ns/matcher", 4)):  # fmt: skip
        values = [KeyValue(key="rejected: size", value=str(value)), KeyValue(key="x", value="1.5")]
        ledger.read(
            DiagnosticArray(status=[DiagnosticStatus(name=f"{name}: input", values=values)])
        )
    assert ledger["rejected: size"] == 9
    assert ledger.beginning_with("rejected: ") == {"size": 9}
    assert ledger["rejected: step"] == 0


def test_place_and_error_of_a_traceback_are_told_once():
    pytest.importorskip("rclpy", reason="ROS 2 is not installed")
    from reliability.answers import tracebacks

    broken = [sys.executable, "-c", "def f():\n raise ValueError('broken')\nf()"]
    printed = subprocess.run(broken, stderr=subprocess.PIPE, text=True).stderr
    logged = f"[ERROR] [1.0] [matcher]: image could not be matched: {printed}"
    assert tracebacks("[INFO] [1.0]: well\n" + 2 * logged) == ["<string>:2 f: ValueError: broken"]
    assert tracebacks("nothing of that kind") == []


def test_the_page_names_tests_that_exist_and_has_a_place_for_each_table(repository):
    page = (repository / "docs" / "reliability.md").read_text()
    names = set(re.findall(r"`(?:[a-z/]+/)?(test_\w+\.py)`", page))
    there = {file.name for file in (repository / "test").rglob("test_*.py")}
    assert names and names <= there
    for name in ("soak", "fuzz"):
        assert "text" in write_into(page, name, "text")
