"""Runs of whole evaluations with methods whose answer is known, and the reports they give."""

import json
import math

import cv2
import numpy as np
import pytest

from coarse_loftr_lab.evaluation.data.homography_pair import HomographyPair
from coarse_loftr_lab.evaluation.data.kitti_sequence import KittiSequence
from coarse_loftr_lab.evaluation.homography_accuracy import (
    HomographyResult,
    evaluate_homography,
    summarise_homography,
)
from coarse_loftr_lab.evaluation.precision_comparison import (
    EncoderTimes,
    PrecisionReport,
    evaluate_precisions,
)
from coarse_loftr_lab.evaluation.report_tables import report_tables
from coarse_loftr_lab.evaluation.sequence_accuracy import evaluate_odometry, summarise_odometry
from coarse_loftr_lab.evaluation.tables import Column, make_table, text_table
from coarse_loftr_lab.evaluation.timing import Spread
from coarse_loftr_ros.features.pair_matcher import PointMatches
from coarse_loftr_ros.features.sift import Sift
from coarse_loftr_ros.files.json_text import json_text, to_json

CAMERA = np.array([[500.0, 0, 319.5], [0, 500.0, 239.5], [0, 0, 1]])


class Oracle:
    """Knows where every pixel of a plane goes; reads the pair's number off the first pixel."""

    name = "oracle"

    def __init__(self, homographies, offset=(0.0, 0.0)):
        self.homographies = homographies
        self.offset = np.array(offset)
        self.described = []

    def describe(self, image):
        self.described.append(int(image[0, 0]))
        return int(image[0, 0])

    def match(self, reference, current):
        columns, rows = np.meshgrid(np.arange(5, 95, 10.0), np.arange(5, 75, 10.0))
        points = np.stack([columns.ravel(), rows.ravel()], axis=1)
        moved = cv2.perspectiveTransform(points[:, None], self.homographies[current])[:, 0]
        return PointMatches(
            points.astype(np.float32),
            (moved + self.offset).astype(np.float32),
            np.ones(len(points), np.float32),
        )


class Blind:
    """Finds nothing."""

    name = "blind"

    def describe(self, image):
        return None

    def match(self, reference, current):
        return PointMatches.none()


def plane_pairs():
    homographies = {
        number: np.array([[1, 0.01 * number, number], [0, 1, -2.0], [0, 1e-4, 1]])
        for number in (1, 2, 3)
    }
    reference = np.zeros((80, 100), np.uint8)
    pairs = [
        HomographyPair(f"pair {number}", reference, np.full((80, 100), number, np.uint8), truth)
        for number, truth in homographies.items()
    ]
    return homographies, pairs


def test_a_method_that_knows_is_perfect_and_a_blind_one_fails_everywhere():
    homographies, pairs = plane_pairs()
    report = evaluate_homography([Oracle(homographies), Blind()], pairs)
    oracle, blind = report.summaries
    assert oracle.median_error_px < 1e-3
    assert all(figure.value > 0.999 for figure in oracle.auc)
    assert (oracle.pairs, oracle.failures) == (3, 0)
    assert oracle.median_matches == oracle.median_inliers == 63
    assert [figure.value for figure in blind.auc] == [0, 0, 0, 0]
    assert (blind.failures, blind.median_error_px) == (3, math.inf)
    assert [(r.method, r.pair) for r in report.results][:3] == [
        ("oracle", "pair 1"),
        ("blind", "pair 1"),
        ("oracle", "pair 2"),
    ]


def test_a_method_that_is_2_pixels_off_is_2_pixels_off():
    homographies, pairs = plane_pairs()
    (summary,) = evaluate_homography([Oracle(homographies, offset=(1.2, -1.6))], pairs).summaries
    assert summary.median_error_px == pytest.approx(2.0, abs=0.01)
    values = [figure.value for figure in summary.auc]
    # Three errors of 2: recall climbs to a third on the way there, and is 1 from there on.
    expected = [0, *((threshold - 2 + 1 / 3) / threshold for threshold in (3, 5, 10))]
    assert values == pytest.approx(expected, abs=0.01)
    assert summary.accuracy == (0.0, pytest.approx(0.5, abs=0.5), *(1.0,) * 8)


def test_a_shared_reference_is_described_once():
    homographies, pairs = plane_pairs()
    oracle = Oracle(homographies)
    evaluate_homography([oracle], pairs)
    assert oracle.described == [0, 1, 2, 3]


def test_the_change_of_a_precision_is_that_of_the_mean_error():
    homographies, pairs = plane_pairs()
    exact, coarse, blind = (
        Oracle(homographies, (0.0, 1.0)),
        Oracle(homographies, (0.0, 1.5)),
        Blind(),
    )
    exact.name, coarse.name = "fp32", "int8"
    references = {"fp32": "fp32", "int8": "fp32", "blind": "fp32"}
    seen = []
    rows = evaluate_precisions(
        [exact, coarse, blind],
        references,
        {"fp32": 4.0, "int8": 1.0, "blind": 0.0},
        {"planes": pairs},
        pairs,
        lambda done, total, what: seen.append((done, total)),
    )
    changes = [row.results[0].change for row in rows]
    assert [change.value for change in changes] == pytest.approx([0, 0.5, 9], rel=0.02)
    assert changes[1].low == pytest.approx(0.5, rel=0.02)
    assert [row.megabytes for row in rows] == [4, 1, 0]
    # All of the oracle's confidences are 1, and its matches are right within 3 px.
    assert rows[0].calibration_error == 0
    assert seen == [(step, 18) for step in range(1, 19)]
    time = Spread(2.0, 1.0, 3.0)
    report = to_json(PrecisionReport(rows, (EncoderTimes("int8, runtime", time, time),)))
    planes, size, times = report_tables("precision", report).values()
    assert planes.rows[1][5] == "+50.0 [+50.0, +50.0]" and planes.rows[0][5] == "-"
    assert size.rows[1][1:] == ("1.00", "0.000")
    assert times.rows[0][1:] == ("2.0", "1.0 - 3.0", "2.00", "1.00 - 3.00")


def test_progress_is_calls_after_every_step():
    homographies, pairs = plane_pairs()
    calls = []
    evaluate_homography([Oracle(homographies), Blind()], pairs, lambda *step: calls.append(step))
    assert [step[:2] for step in calls] == [(done, 6) for done in range(1, 7)]
    assert calls[1][2] == "blind: pair 1"


def test_methods_of_one_name_are_refused():
    with pytest.raises(ValueError, match="blind"):
        evaluate_homography([Blind(), Blind()], plane_pairs()[1])


def test_results_of_two_methods_are_not_summed_up():
    results = [HomographyResult(name, "pair", 1.0, 10, 9, (1.0,) * 10) for name in ("one", "two")]
    with pytest.raises(ValueError, match="two"):
        summarise_homography(results)
    with pytest.raises(ValueError, match="one method"):
        summarise_odometry([])


@pytest.fixture
def drive(tmp_path):
    """Five images of 40x30 that hold their own index, along a curve."""
    (tmp_path / "image_0").mkdir()
    poses = []
    for index in range(5):
        rotation = cv2.Rodrigues(np.array([0, 0.03 * index, 0]))[0]
        poses.append(np.column_stack([rotation, [0.1 * index, 0, 1.0 * index]]))
        image = np.full((30, 40), index, np.uint8)
        cv2.imwrite(str(tmp_path / "image_0" / f"{index:06d}.png"), image)
    np.savetxt(tmp_path / "poses.txt", np.array(poses).reshape(5, 12))
    projection = np.column_stack([CAMERA, np.zeros(3)])
    np.savetxt(tmp_path / "calib.txt", projection.reshape(1, 12))
    return tmp_path, poses


class Traveller:
    """Sees the same world points from every pose of the drive."""

    name = "traveller"

    def __init__(self, poses):
        self.poses = poses
        self.world = np.random.default_rng(0).uniform([-8, -5, 12], [8, 5, 40], (200, 3))
        self.described = []

    def describe(self, image):
        self.described.append(int(image[0, 0]))
        return int(image[0, 0])

    def match(self, reference, current):
        return PointMatches(self.see(reference), self.see(current), np.ones(200, np.float32))

    def see(self, index):
        rotation, position = self.poses[index][:, :3], self.poses[index][:, 3]
        seen = (self.world - position) @ rotation @ CAMERA.T
        return (seen[:, :2] / seen[:, 2:]).astype(np.float32)


def test_a_traveller_who_sees_the_world_knows_the_motion(drive):
    folder, poses = drive
    traveller = Traveller(poses)
    report = evaluate_odometry([traveller, Blind()], KittiSequence(folder), gaps=(1, 3))
    assert [(s.method, s.gap, s.pairs) for s in report.summaries] == [
        ("traveller", 1, 4),
        ("traveller", 3, 2),
        ("blind", 1, 4),
        ("blind", 3, 2),
    ]
    for summary in report.summaries[:2]:
        assert summary.failures == 0
        assert summary.median_rotation_deg < 0.01
        assert summary.median_direction_deg < 0.05
    for summary in report.summaries[2:]:
        assert summary.failures == summary.pairs
        assert summary.median_direction_deg == math.inf
    assert traveller.described == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("gap", [0, 5, -1])
def test_a_gap_longer_than_the_drive_is_refused(drive, gap):
    with pytest.raises(ValueError, match=f"gap is {gap}"):
        evaluate_odometry([Blind()], KittiSequence(drive[0]), gaps=(1, gap))


def test_sift_finds_the_direction_of_a_real_drive(shared_dir):
    sequence = KittiSequence(shared_dir / "data/dev/vo/kitti06_stereo_51")

    class Start:
        """The first images of the drive."""

        name, intrinsics = sequence.name, sequence.intrinsics
        image, relative_pose = sequence.image, sequence.relative_pose

        def __len__(self):
            return 5

    (summary,) = evaluate_odometry([Sift()], Start(), gaps=(2,)).summaries
    assert summary.pairs == 3
    assert summary.median_direction_deg < 1
    assert summary.median_rotation_deg < 0.5


def test_columns_are_aligned():
    table = text_table(["method", "px"], [["a", "1.25"], ["much longer", "10"]])
    assert table.splitlines() == [
        "method         px",
        "-----------  ----",
        "a            1.25",
        "much longer    10",
    ]


def test_tables_hold_every_method_and_gap(drive):
    homographies, pairs = plane_pairs()
    report = evaluate_homography([Oracle(homographies), Blind()], pairs)
    lines = report_tables("homography", to_json(report))[""].text().splitlines()
    assert "AUC@1 px" in lines[0]
    assert lines[2].startswith("oracle")
    assert "100.0 [100, 100]" in lines[2]
    assert "3/3" in lines[3]
    folder, poses = drive
    report = evaluate_odometry([Traveller(poses)], KittiSequence(folder), gaps=(1, 2))
    tables = report_tables("odometry", to_json(report))
    assert list(tables) == ["gap 1", "gap 2"]
    assert all(table.rows[0][0] == "traveller" for table in tables.values())


def test_a_document_sets_the_best_of_a_column_in_bold():
    columns = [
        Column("method", lambda r: r["name"]),
        Column("px", lambda r: f"{r['px']}", lambda r: -r["px"]),
    ]
    records = [{"name": "a", "px": 2}, {"name": "b", "px": 1}]
    assert make_table(columns, records).markdown().splitlines() == [
        "| method | px |",
        "| --- | --- |",
        "| a | 2 |",
        "| b | **1** |",
    ]


def test_a_file_has_one_line_per_record_and_loses_nothing():
    report = {"kind": "x", "rows": [{"a": 1.5, "b": [1, 2]}, {"a": None, "b": []}], "none": []}
    text = json_text(report)
    assert json.loads(text) == report
    assert '{"a": 1.5, "b": [1, 2]},' in text and len(text.splitlines()) == 8


def test_reports_go_through_json_and_failures_become_null(drive):
    homographies, pairs = plane_pairs()
    report = evaluate_homography([Oracle(homographies), Blind()], pairs)
    read = json.loads(json.dumps(to_json(report), allow_nan=False))
    assert read["summaries"][0]["auc"][1]["threshold"] == 3.0
    assert read["summaries"][1]["median_error_px"] is None
    assert [r["corner_error_px"] for r in read["results"] if r["method"] == "blind"] == [None] * 3
    folder, poses = drive
    odometry = evaluate_odometry([Traveller(poses)], KittiSequence(folder), gaps=(1,))
    assert json.loads(json.dumps(to_json(odometry), allow_nan=False))["sequence"] == folder.name
    with pytest.raises(TypeError, match="ndarray"):
        to_json(np.zeros(3))
