"""Odometry fed by the matcher: a car (KITTI), and a simulated flight with exact truth."""

from itertools import pairwise

import cv2
import numpy as np
import pytest
from odometry_scenes import angle_deg, rotation_error_deg

from coarse_loftr_ros.cameras.pose import Pose
from coarse_loftr_ros.images.frame import Frame, Intrinsics
from coarse_loftr_ros.matching.frame_matching import MatchSettings
from coarse_loftr_ros.matching.pipeline import Pipeline
from coarse_loftr_ros.matching.pipeline_settings import PipelineSettings
from coarse_loftr_ros.matching.reference_policy import Consecutive, Keyframe
from coarse_loftr_ros.matching.result import Status
from coarse_loftr_ros.odometry.estimate import Scale
from coarse_loftr_ros.odometry.mono import MonoOdometry
from coarse_loftr_ros.odometry.observations import StereoMatches, StereoRig, TemporalMatches
from coarse_loftr_ros.odometry.planar import PlanarOdometry
from coarse_loftr_ros.odometry.settings import PlanarSettings
from coarse_loftr_ros.odometry.stereo import StereoOdometry
from coarse_loftr_ros.recordings.rendered.flight import Flight
from coarse_loftr_ros.recordings.rendered.scene import draw_landscape

CAR_IMAGES = 9


def in_time(match):
    points = match.correspondences
    return TemporalMatches(
        match.reference.stamp,
        match.current.stamp,
        points.reference_points,
        points.current_points,
        points.confidence,
        points.track_id,
        match.current.width,
        match.current.height,
    )


def stereo(match):
    points = match.correspondences
    return StereoMatches(
        match.left.stamp,
        points.reference_points,
        points.current_points,
        points.confidence,
        points.track_id,
    )


@pytest.fixture(scope="module")
def car(shared_dir):
    """The rig, what the matcher says of the first images, and the true poses."""
    folder = shared_dir / "data/dev/vo/kitti06_stereo_51"
    projections = np.loadtxt(folder / "calib_P0_P1.txt").reshape(2, 3, 4)
    cameras = [Intrinsics(p[0, 0], p[1, 1], p[0, 2], p[1, 2]) for p in projections]
    rig = StereoRig(*cameras, -projections[1, 0, 3] / projections[1, 0, 0])
    poses = [Pose.from_matrix(row.reshape(3, 4)) for row in np.loadtxt(folder / "poses.txt")]
    pipeline = Pipeline(PipelineSettings(), MatchSettings(), Consecutive(), (1226, 370))
    results = []
    for index, path in enumerate(sorted((folder / "image_0").iterdir())[:CAR_IMAGES]):
        frames = [
            Frame(cv2.imread(str(file), cv2.IMREAD_GRAYSCALE), index * 100_000_000, name)
            for name, file in (("left", path), ("right", folder / "image_1" / path.name))
        ]
        results.append(pipeline.process_stereo(*frames, rectified=True))
    return rig, results, poses[:CAR_IMAGES]


def test_a_car_with_two_cameras_is_followed_in_metres(car):
    rig, results, truth = car
    odometry = StereoOdometry(rig)
    for result in results:
        matches = in_time(result.temporal) if result.temporal else None
        estimate = odometry.update(matches, stereo(result.stereo))
        assert estimate.status == Status.OK, estimate.reason
    travelled = np.linalg.norm(truth[-1].translation - truth[0].translation)
    moved = truth[0].inverse @ truth[-1]
    assert np.linalg.norm(estimate.pose.translation - moved.translation) < 0.02 * travelled
    # The truth's attitude (GPS and inertial) wanders by more than this over the first metres: two
    # networks agree with each other ten times better than with it.
    assert rotation_error_deg(estimate.pose, moved) < 1.0


def test_a_car_with_one_camera_knows_its_direction(car):
    rig, results, truth = car
    odometry = MonoOdometry(rig.left)
    errors = []
    for index, result in enumerate(results):
        if result.temporal is None:
            continue
        estimate = odometry.update(in_time(result.temporal))
        assert estimate.status == Status.OK, estimate.reason
        moved = truth[index - 1].inverse @ truth[index]
        errors.append(angle_deg(estimate.relative.translation, moved.translation))
    assert np.median(errors) < 1.2


def test_a_flight_over_a_landscape_is_followed():
    flight = Flight(draw_landscape(1400, 1100), seconds=1.0)
    # The homography K R [e1 e2 -C] of the landscape's pixels; a unit is the first altitude.
    camera = Intrinsics(560.0, 560.0, (flight.width - 1) / 2, (flight.height - 1) / 2)
    poses = []
    for stamp in flight.stamps:
        view = np.linalg.inv(camera.matrix()) @ flight.from_landscape(stamp)
        turn = np.column_stack([view[:, 0], view[:, 1], np.cross(view[:, 0], view[:, 1])])
        poses.append(Pose(turn.T, -turn.T @ view[:, 2]))
    altitude = -poses[0].translation[2]
    pipeline = Pipeline(PipelineSettings(), MatchSettings(), Keyframe())
    odometry = PlanarOdometry(camera, PlanarSettings(altitude_m=1.0, normal_sigma_deg=10.0))
    for frame in flight.frames():
        result = pipeline.process(frame)
        matches = None if result is None else in_time(result)
        estimate = odometry.update(matches, stamp=frame.stamp)
        assert estimate.status == Status.OK, estimate.reason
    moved = poses[0].inverse @ poses[-1]
    travelled = sum(np.linalg.norm(b.translation - a.translation) for a, b in pairwise(poses))
    error = estimate.pose.translation - moved.translation / altitude
    assert np.linalg.norm(error) < 0.01 * travelled / altitude
    assert rotation_error_deg(estimate.pose, moved) < 0.3
    assert estimate.scale is Scale.GROUND_PLANE
