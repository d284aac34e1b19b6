"""What moves by itself is left out of a stream; what does not, is not."""

from __future__ import annotations

import numpy as np
import pytest
from odometry_scenes import CAMERA, HEIGHT, RIG, WIDTH, Scene, cloud, drive
from rendered_drives import BASELINE_M, street
from rendered_drives import CAMERA as STREET_CAMERA
from scenes import motion, texture, view

from coarse_loftr_ros.images.frame import Frame
from coarse_loftr_ros.matching.frame_matching import MatchSettings
from coarse_loftr_ros.matching.homography import transfer
from coarse_loftr_ros.matching.motion_mask import MotionMask, MotionMaskSettings
from coarse_loftr_ros.matching.reference_policy import Consecutive, Keyframe

SCALE = 0.7  # px of the network image per px
WATCHED = MatchSettings(motion_mask=True)


class Stream:
    """Matches of a stereo drive through points, some of which keep their place before the camera.

    Args:
        moving: so many points drive ahead at the camera's speed, 6 m away.
        wrong: share of matches that are wrong.
    """

    def __init__(self, moving: int, wrong: float = 0.05, seed: int = 0, images: int = 8) -> None:
        rng = np.random.default_rng(seed)
        poses = drive(images, step=1.2)
        self.scene = Scene(poses, cloud(poses, 1500, rng), 0.2, wrong, seed)
        self.vehicle = np.column_stack(
            [rng.uniform(-1.2, 1.2, moving), rng.uniform(-1.0, 1.0, moving), np.full(moving, 6.0)]
        )
        self.images = images
        self.mask = MotionMask()
        self.rng = rng

    def run(self, stereo: bool = True) -> list[tuple[np.ndarray, np.ndarray]]:
        """Which points of the vehicle, and of the scene, are left out in each image."""
        x, y, z = self.vehicle.T
        pixels = np.column_stack([x / z, y / z]) * CAMERA.fx + (CAMERA.cx, CAMERA.cy)
        shift = CAMERA.fx * RIG.baseline_m / z
        count, found = len(pixels), []
        for k in range(1, self.images):
            eyes, matches = self.scene.stereo(k - 1), self.scene.temporal(k - 1, k)
            if stereo:
                numbers = eyes.track_id.astype(np.int64) % 100_000 + count
                disparity = eyes.left_points[:, 0] - eyes.right_points[:, 0]
                self.mask.take_stereo(
                    Frame(np.zeros((HEIGHT, WIDTH), np.uint8), intrinsics=CAMERA),
                    np.concatenate([np.arange(count), numbers]),
                    np.concatenate([shift, disparity]),
                )
            self.mask.take_reference()
            hidden = count > 0
            hidden &= (np.abs(matches.current_points - (CAMERA.cx, CAMERA.cy)) < (100, 84)).all(1)
            before, after = matches.reference_points[~hidden], matches.current_points[~hidden]
            noisy = pixels + self.rng.normal(0, 0.2, pixels.shape)
            still = self.mask.still(
                np.float32(np.concatenate([pixels, before])),
                np.float32(np.concatenate([noisy, after])),
                np.concatenate([np.arange(count), matches.track_id[~hidden] % 100_000 + count]),
                (WIDTH, HEIGHT),
                SCALE,
            )
            found.append((~still[:count], ~still[count:]))
        return found


def test_a_vehicle_that_drives_ahead_is_left_out_from_the_second_time_on_that_it_is_seen():
    first, *rest = Stream(moving=200).run()
    assert not first[0].any() and not first[1].any(), "one image is no evidence"
    for vehicle, scene in rest:
        assert vehicle.mean() > 0.85
        assert scene.mean() < 0.05


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("stereo", [True, False])
def test_where_nothing_moves_nothing_is_left_out(seed, stereo):
    for _, scene in Stream(moving=0, wrong=0.1, seed=seed).run(stereo):
        assert scene.mean() < 0.01


@pytest.mark.parametrize("seed", range(4))
def test_a_plane_seen_by_one_camera_moves_as_a_whole(seed):
    rng, mask = np.random.default_rng(seed), MotionMask()
    for _ in range(6):
        before = rng.uniform((30, 30), (609, 449), (400, 2))
        after = transfer(motion(tilt=1e-4, degrees=2.0, dx=6), before)
        after += rng.normal(0, 0.3, (400, 2))
        still = mask.still(np.float32(before), np.float32(after), None, (640, 480), SCALE)
        mask.take_reference()
        assert still.all()


def test_where_most_of_the_image_would_be_left_out_nothing_is_and_it_is_said():
    stream = Stream(moving=200)
    stream.mask = MotionMask(MotionMaskSettings(most=0.05))
    stream.images = 3  # in the second one of two it would be left out
    assert not any(vehicle.any() for vehicle, _ in stream.run())
    assert stream.mask.latest.share == 0.0
    assert "of the matched area would move" in stream.mask.latest.distrusted


def test_too_few_matches_say_nothing():
    mask = MotionMask()
    for count in (0, 1, 5):
        points = np.float32(np.random.default_rng(0).uniform(0, 400, (count, 2)))
        assert mask.still(points, points + 40, None, (640, 480), SCALE).all()
        assert mask.still_at(points).all()


def test_the_far_edge_of_the_image_belongs_to_it():
    edge = np.float32([[640.5, 300.5], [-0.5, -0.5]]).repeat(20, 0)
    mask = MotionMask()
    assert mask.still(edge, edge, None, (641, 301), SCALE).all()
    assert mask.still_at(edge).all()


# --- of a stream of images ----------------------------------------------------------------------


def square_before_a_plane(step: int) -> Frame:
    """A plane that goes by slowly, and before it a square that goes the other way."""
    image = view(texture(), motion(dx=-3.0 * step), seed=step)
    left = 200 + 9 * step
    image[150:330, left : left + 180] = texture(seed=7)[:180, :180]
    return Frame(image, stamp=step * 10**8)


def on_square(result) -> float:
    left = 200 + 9 * result.current.stamp // 10**8
    x, y = result.correspondences.current_points.T
    return float(((x > left + 4) & (x < left + 176) & (y > 154) & (y < 326)).mean())


def test_a_keyframe_stream_loses_its_matches_on_what_moves_and_no_others(pipeline):
    pipeline.policy = Keyframe()
    every = [pipeline.process(square_before_a_plane(step)) for step in range(6)][-1]
    assert every.moving is None
    pipeline.reset()
    pipeline.match_settings = WATCHED
    results = [pipeline.process(square_before_a_plane(step)) for step in range(6)]
    assert on_square(every) > 0.05
    assert on_square(results[-1]) < 0.004  # one match of 500, or none
    kept, whole = len(results[-1].correspondences), len(every.correspondences)
    assert kept > 0.85 * (1 - on_square(every)) * whole
    assert 0.03 < results[-1].moving.share < 0.25
    assert "motion" in results[-1].timings_ms and "motion" not in every.timings_ms


@pytest.mark.parametrize("stop", ["reset", "off", "time"])
def test_nothing_is_remembered_across_a_break(pipeline, stop):
    pipeline.policy, pipeline.match_settings = Keyframe(), WATCHED
    for step in range(4):
        last = pipeline.process(square_before_a_plane(step))
    assert last.moving.share > 0
    if stop == "off":
        pipeline.match_settings = MatchSettings()
        assert on_square(pipeline.process(square_before_a_plane(4))) > 0.05
        pipeline.match_settings = WATCHED
    else:
        if stop == "reset":
            pipeline.reset()
        assert pipeline.process(square_before_a_plane(4 if stop == "reset" else 0)) is None
    next_one = 1 if stop == "time" else 5
    assert pipeline.process(square_before_a_plane(next_one)).moving.share == 0.0


def test_pairs_of_images_are_matched_as_without(pipeline):
    pair = [square_before_a_plane(step) for step in (0, 3)]
    every = pipeline.process_pair(*pair).correspondences
    pipeline.match_settings = WATCHED
    np.testing.assert_array_equal(
        pipeline.process_pair(*pair).correspondences.current_points, every.current_points
    )


def street_with_a_van(step: int) -> tuple[Frame, Frame]:
    """Both eyes in a street, 0.5 m further each time, a van 4 m ahead of them all the time."""
    eyes = []
    for right in (0.0, BASELINE_M):
        image = street(0.5 * step, right).copy()
        left = 180 - round(STREET_CAMERA.fx * right / 4.0)
        image[90:220, left : left + 150] = texture(seed=3)[:130, :150]
        eyes.append(Frame(image, stamp=step * 10**8, intrinsics=STREET_CAMERA))
    return eyes[0], eyes[1]


@pytest.mark.parametrize(("policy", "set_at"), [(Consecutive(), None), (Keyframe(), 1)])
def test_in_stereo_also_what_keeps_its_distance_is_found(pipeline, policy, set_at):
    pipeline.match_settings, pipeline.policy = WATCHED, policy
    for step in range(4):
        result = pipeline.process_stereo(*street_with_a_van(step), rectified=True)
        if step == set_at:
            assert pipeline.set_keyframe() is result.temporal.current
    for points in (
        result.temporal.correspondences.current_points,
        result.stereo.correspondences.reference_points,
    ):
        x, y = points.T
        on_van = (x > 190) & (x < 320) & (y > 100) & (y < 210)
        assert len(points) > 80
        assert on_van.mean() == 0.0
