"""Whatever the matcher sends, odometry answers with numbers and a status."""

import warnings
from importlib.util import find_spec

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from odometry_scenes import CAMERA, HEIGHT, RIG, WIDTH, stamp

from coarse_loftr_ros.matching.result import Status
from coarse_loftr_ros.odometry.mono import MonoOdometry
from coarse_loftr_ros.odometry.observations import StereoMatches, TemporalMatches
from coarse_loftr_ros.odometry.planar import PlanarOdometry
from coarse_loftr_ros.odometry.settings import (
    MonoSettings,
    PlanarSettings,
    ScaleSource,
    StereoSettings,
)
from coarse_loftr_ros.odometry.stereo import StereoOdometry

KINDS = ("random", "same", "line", "still", "shift", "zoom", "one", "far", "huge", "swap")


def points(kind, count, rng):
    before = rng.uniform((0, 0), (WIDTH, HEIGHT), (count, 2))
    after = {
        "random": rng.uniform((0, 0), (WIDTH, HEIGHT), (count, 2)),
        "same": np.full((count, 2), 100.0),
        "still": before,
        "shift": before + np.array([3.0, 0.0]),
        "zoom": before * 1.1,
        "far": before + 1e6,
        "huge": before + 3e38,
        "swap": before[:, ::-1],
    }.get(kind, before + rng.normal(0, 1, (count, 2)))
    if kind == "line":
        before[:, 1] = after[:, 1] = 240.0
    if kind == "one":
        before[:] = 50.0
    return before.astype(np.float32), after.astype(np.float32)


def messages(kind, count, k, rng):
    before, after = points(kind, count, rng)
    ids = rng.integers(0, max(1, count), count).astype(np.uint32)  # some of them twice
    sure = np.ones(count, np.float32)
    stereo = before - np.column_stack([rng.uniform(-2, 60, count), np.zeros(count)])
    temporal = TemporalMatches(stamp(k - 1), stamp(k), before, after, sure, ids, WIDTH, HEIGHT)
    stereo = StereoMatches(stamp(k), before, stereo.astype(np.float32), sure, ids)
    return temporal, stereo


ODOMETRIES = {
    "stereo": lambda: StereoOdometry(RIG),
    "mono": lambda: MonoOdometry(CAMERA),
    "ground": lambda: MonoOdometry(
        CAMERA, MonoSettings(scale=ScaleSource.GROUND_PLANE, camera_height_m=1.0)
    ),
    "planar": lambda: PlanarOdometry(CAMERA, PlanarSettings(altitude_m=2.0)),
    "floor": lambda: PlanarOdometry(CAMERA, PlanarSettings(altitude_m=2.0, constant_altitude=True)),
}


if find_spec("scipy"):
    ODOMETRIES["window"] = lambda: StereoOdometry(RIG, StereoSettings(window=3))


@pytest.mark.parametrize("name", ODOMETRIES)
@settings(max_examples=40)
@given(
    st.lists(st.tuples(st.sampled_from(KINDS), st.integers(0, 120)), min_size=1, max_size=6),
    st.integers(0, 2**32 - 1),
)
def test_every_answer_is_finite(name, sequence, seed):
    rng = np.random.default_rng(seed)
    odometry = ODOMETRIES[name]()
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        for k, (kind, count) in enumerate(sequence, 1):
            estimate = odometry.update(*messages(kind, count, k, rng))
            assert np.isfinite(estimate.pose.matrix).all()
            assert np.isfinite(estimate.covariance).all()
            assert np.isfinite(estimate.relative_covariance).all()
            assert (np.diag(estimate.covariance) >= 0).all()
            assert estimate.status == Status.OK or estimate.reason
