"""Trajectories: files, partners in time, errors against truths that are known."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coarse_loftr_ros.cameras.pose import Pose
from coarse_loftr_ros.recordings.trajectories.errors import (
    segment_errors,
    segment_lengths,
    step_errors,
)
from coarse_loftr_ros.recordings.trajectories.files import (
    kitti_text,
    read_trajectory,
    tum_text,
)
from coarse_loftr_ros.recordings.trajectories.trajectory import Trajectory, associate, scale_between

START = 1_750_000_000_123_456_789


def drive(count: int = 60, step: float = 1.0, turn_deg: float = 0.0) -> Trajectory:
    """Forward along z, turning by so much per image."""
    motion = Pose.exp(np.array([0, 0, step, 0, np.deg2rad(turn_deg), 0]))
    poses = [Pose.exp(np.array([3.0, 1, -2, 0.1, 0.2, 0.3]))]
    for _ in range(count - 1):
        poses.append(poses[-1] @ motion)
    return Trajectory.of([START + 100_000_000 * k for k in range(count)], poses)


def wandering(seed: int, count: int = 40) -> Trajectory:
    rng = np.random.default_rng(seed)
    poses = [Pose.identity()]
    for _ in range(count - 1):
        poses.append(poses[-1] @ Pose.exp(rng.normal(0, (0.1, 0.1, 1, 0.02, 0.05, 0.02))))
    return Trajectory.of([START + 33_333_333 * k for k in range(count)], poses)


@given(seed=st.integers(0, 1000))
def test_files_give_back_what_was_written(seed: int, tmp_path_factory) -> None:
    folder = tmp_path_factory.mktemp("files")
    path = wandering(seed, 5)
    for text in (tum_text(path), kitti_text(path)):
        (folder / "file").write_text("# a comment\n" + text)
        again = read_trajectory(folder / "file", stamps=list(path.stamps))
        assert (again.stamps == path.stamps).all(), "to the nanosecond"
        for ours, theirs in zip(again.poses, path.poses, strict=True):
            assert np.allclose(ours.matrix, theirs.matrix, rtol=0, atol=1e-7)


def test_open3d_logs_are_read(tmp_path: Path) -> None:
    path = wandering(3, 4)
    blocks = [
        f"{k} {k} {k + 1}\n"
        + "\n".join(" ".join(f"{value:.8f}" for value in row) for row in pose.matrix)
        for k, pose in enumerate(path.poses)
    ]
    (tmp_path / "poses.log").write_text("\n".join(blocks) + "\n")
    again = read_trajectory(tmp_path / "poses.log", stamps=list(path.stamps))
    assert np.allclose(again.positions, path.positions, atol=1e-7)


@pytest.mark.parametrize(
    ("text", "word"),
    [("", "neither"), ("1 2 3\n", "neither"), (kitti_text(drive(4)), "4 poses without times"),
     ("a 0 0 0 0 0 0 1\n", "'a'"), ("1 0 0 0 0 0 0 0\n", "quaternion")],
)  # fmt: skip
def test_what_is_no_trajectory_is_refused_by_name(text: str, word: str, tmp_path: Path) -> None:
    (tmp_path / "file.txt").write_text(text)
    with pytest.raises(ValueError, match=r"file\.txt is no trajectory") as refused:
        read_trajectory(tmp_path / "file.txt", stamps=[1, 2, 3])
    assert word in str(refused.value)


def test_stamps_must_rise() -> None:
    with pytest.raises(ValueError, match="pose 1 is not later"):
        Trajectory.of([5, 5], [Pose.identity()] * 2)


def test_an_estimate_finds_the_truth_nearest_in_time() -> None:
    truth = drive(50)
    # Every third image, 4 ms late, and one a second before the truth begins.
    late = truth.select(np.arange(0, 50, 3))
    late = Trajectory(late.stamps + 4_000_000, late.poses)
    early = Trajectory.of([START - 10**9, *late.stamps], [Pose.identity(), *late.poses])
    ours, theirs = associate(early, truth, 5_000_000)
    assert len(ours) == len(theirs) == 17
    assert (ours.stamps - theirs.stamps == 4_000_000).all()
    with pytest.raises(ValueError, match=r"0 of 18 poses.* 2 ms"):
        associate(early, truth, 2_000_000)


def test_a_path_that_is_one_per_cent_too_long_has_that_error() -> None:
    found = segment_errors(drive(60, 1.01), drive(60), (5.0, 20.0, 100.0))
    assert found.lengths_m == (5.0, 20.0), "a length that the path does not have is left out"
    assert found.segments == (60 - 6, 60 - 21)
    # A part ends with the first image beyond its length: 6 and 21 steps.
    assert found.t_rel_percent == pytest.approx((1 * 6 / 5, 1 * 21 / 20))
    assert found.mean_r_rel_deg_per_m == pytest.approx(0, abs=1e-9)


def test_a_slow_turn_is_an_error_in_degrees_per_metre() -> None:
    found = segment_errors(drive(60, 1.0, 0.02), drive(60), (10.0,))
    assert found.mean_r_rel_deg_per_m == pytest.approx(0.02 * 11 / 10)


@settings(max_examples=15)
@given(seed=st.integers(0, 1000))
def test_errors_do_not_depend_on_where_a_path_begins(seed: int) -> None:
    truth, other = wandering(seed), wandering(seed + 1)
    moved = other.from_first()
    elsewhere = Pose.exp(np.array([5.0, -3, 2, 0.4, 2.0, -1]))
    moved = Trajectory(moved.stamps, tuple(elsewhere @ pose for pose in moved.poses))
    lengths = segment_lengths(truth)
    first, second = (segment_errors(path, truth, lengths) for path in (other, moved))
    assert first.mean_t_rel_percent == pytest.approx(second.mean_t_rel_percent)
    steps = [step_errors(path, truth) for path in (other, moved)]
    assert steps[0].median_rotation_deg == pytest.approx(steps[1].median_rotation_deg)
    assert steps[0].median_direction_deg == pytest.approx(steps[1].median_direction_deg)


def test_a_scale_is_no_error_of_direction_and_is_found() -> None:
    truth = wandering(7)
    half = truth.scaled(0.5)
    assert scale_between(half, truth) == pytest.approx(2)
    found = step_errors(half, truth)
    assert found.median_rotation_deg == pytest.approx(0, abs=1e-6)
    assert found.median_direction_deg == pytest.approx(0, abs=1e-5)
    assert found.directions == 39


def test_lengths_are_kitti_s_where_the_path_is_long_enough() -> None:
    assert segment_lengths(drive(400)) == (100.0, 200.0, 300.0)
    assert segment_lengths(drive(51)) == (5.0, 10.0, 20.0, 40.0), "of at least four images"
    assert segment_lengths(drive(51, 0.09)) == (0.5, 1.0, 2.0)


def test_evo_agrees_about_relative_errors() -> None:
    pytest.importorskip("evo", reason="evo is not installed")
    from coarse_loftr_ros.recordings.trajectories.evo_errors import evo_errors

    truth, other = wandering(11), wandering(12)
    found = evo_errors(other, truth, align_scale=False)
    assert found.scale == 1.0
    rotation = step_errors(other, truth).median_rotation_deg
    assert found.rpe_rotation_rmse_deg == pytest.approx(rotation, rel=0.5)
    scaled = evo_errors(truth.scaled(0.25), truth, align_scale=True)
    assert scaled.scale == pytest.approx(4)
    assert scaled.ape_rmse_m == pytest.approx(0, abs=1e-9)


def test_a_path_on_a_line_has_relative_errors_and_says_why_no_others() -> None:
    pytest.importorskip("evo", reason="evo is not installed")
    from coarse_loftr_ros.recordings.trajectories.evo_errors import evo_errors

    truth = drive(8, 0.25)
    found = evo_errors(truth.scaled(1.1), truth, align_scale=False)
    assert found.ape_rmse_m is None and found.ape_max_m is None
    assert "on a line" in found.lacking
    assert found.rpe_translation_rmse_m == pytest.approx(0.025)


def test_times_before_zero_are_written_as_what_they_are(tmp_path: Path) -> None:
    path = Trajectory.of([-1_000_000_000, -400_000_000, 0], [Pose.identity()] * 3)
    (tmp_path / "path.tum").write_text(tum_text(path))
    assert list(read_trajectory(tmp_path / "path.tum").stamps) == list(path.stamps)
