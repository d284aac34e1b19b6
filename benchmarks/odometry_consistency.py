"""Are odometry's covariances those of its errors? Mean NEES per mode and pairing; 6 is right.

Cameras are rendered along exactly known paths: through streets for stereo and mono, over a drawn
landscape in planar mode. Their images are matched as the node matches them. The external speed is
the true one with an error of 5 % in each image.

    python benchmarks/odometry_consistency.py
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise

import numpy as np

from coarse_loftr_lab.evaluation.consistency import Consistency, summarise
from coarse_loftr_lab.evaluation.tables import text_table
from coarse_loftr_ros.cameras.pose import Pose
from coarse_loftr_ros.commands.common.options import ROW_TOLERANCE_PX
from coarse_loftr_ros.matching.frame_matching import MatchSettings
from coarse_loftr_ros.matching.pipeline import Pipeline
from coarse_loftr_ros.matching.pipeline_settings import PipelineSettings
from coarse_loftr_ros.matching.reference_policy import Consecutive, Keyframe
from coarse_loftr_ros.odometry.estimate import Odometry, OdometryEstimate
from coarse_loftr_ros.odometry.mono import MonoOdometry
from coarse_loftr_ros.odometry.observations import StereoMatches, StereoRig, TemporalMatches
from coarse_loftr_ros.odometry.planar import PlanarOdometry
from coarse_loftr_ros.odometry.settings import MonoSettings, PlanarSettings, ScaleSource
from coarse_loftr_ros.odometry.stereo import StereoOdometry
from coarse_loftr_ros.recordings.rendered.flight import Flight
from coarse_loftr_ros.recordings.rendered.scene import draw_landscape
from coarse_loftr_ros.recordings.rendered.street import Street
from coarse_loftr_ros.recordings.trajectories.matcher_streams import FrameSet, OwnStream

ALLOWED = 4.0, 9.0
SPEED_SIGMA = 0.05
POLICIES = {"consecutive": Consecutive, "keyframe": Keyframe}
MONO = {f"mono, {scale.value}": scale for scale in ScaleSource}
Matched = list[tuple[int, TemporalMatches | None, StereoMatches | None]]


@dataclass(frozen=True, eq=False)
class Recording:
    """A rendered path, matched by one policy after the other.

    Attributes:
        scene: that was rendered.
        poses: true ones by their stamps; over a landscape in units of the first altitude.
        matched: by the name of the policy: stamp, temporal and stereo matches of each image.
    """

    scene: Street | Flight
    poses: Mapping[int, Pose]
    matched: Mapping[str, Matched]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; the exit status is 1 when a mean is out of the band."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--seconds", type=float, default=3.0, help="of each path (3)")
    parser.add_argument("--threads", type=int, default=0, help="of the matcher (0: runtime's)")
    options = parser.parse_args(arguments)
    streets = [
        Street(seconds=options.seconds, rate=10.0, speed=5.0, seed=1),
        Street(seconds=options.seconds, rate=15.0, speed=2.0, seed=2),
        Street(seconds=options.seconds, rate=15.0, speed=8.0, noise=4.0, seed=3),
    ]
    flights = [
        partial(Flight, altitude=altitude, noise=noise, seconds=options.seconds)
        for altitude, noise in ((1.25, 2.0), (0.8, 2.0), (1.6, 2.0), (1.25, 5.0))
    ]
    driven = [matched_street(street, options.threads) for street in streets]
    flown = [
        matched_flight(flight(draw_landscape(2200, 1800, seed)), options.threads)
        for seed, flight in enumerate(flights, start=7)
    ]
    rows = measure({"stereo": driven, **dict.fromkeys(MONO, driven), "planar": flown})
    print(
        text_table(
            ["mode", "pairing", "images", "lost", "mean NEES", "5 % to 95 %", "mean of poses"],
            [row(mode, pairing, found) for (mode, pairing), found in rows.items()],
        )
    )
    low, high = ALLOWED
    return 0 if all(low <= found.mean <= high for found in rows.values()) else 1


def measure(
    recordings: Mapping[str, Sequence[Recording]],
) -> dict[tuple[str, str], Consistency]:
    """The figures of each mode with each pairing that its recordings were matched by."""
    return {
        (mode, pairing): summarise(
            [(estimates_of(mode, recorded, pairing), recorded.poses) for recorded in of_mode]
        )
        for mode, of_mode in recordings.items()
        for pairing in of_mode[0].matched
    }


def matched_street(
    street: Street, threads: int = 0, pairings: Sequence[str] = tuple(POLICIES)
) -> Recording:
    """Render a street and match it."""
    pairs = zip(street.frames(), street.frames(right=True), strict=True)
    frame_sets = [FrameSet(left, right) for left, right in pairs]
    poses = {stamp: street.pose(stamp) for stamp in street.stamps}
    return Recording(street, poses, matched(frame_sets, threads, pairings))


def matched_flight(
    flight: Flight, threads: int = 0, pairings: Sequence[str] = tuple(POLICIES)
) -> Recording:
    """Render a flight and match it."""
    frame_sets = [FrameSet(frame) for frame in flight.frames()]
    altitude = -flight.pose(flight.stamps[0]).translation[2]
    poses = {
        stamp: Pose(pose.rotation, pose.translation / altitude)
        for stamp, pose in ((stamp, flight.pose(stamp)) for stamp in flight.stamps)
    }
    return Recording(flight, poses, matched(frame_sets, threads, pairings))


def matched(
    frame_sets: Sequence[FrameSet], threads: int, pairings: Sequence[str]
) -> dict[str, Matched]:
    """The frame sets matched by each policy."""
    size = frame_sets[0].left.width, frame_sets[0].left.height
    settings = replace(MatchSettings(), row_tolerance_px=ROW_TOLERANCE_PX)
    found = {}
    for name in pairings:
        pipeline = Pipeline(PipelineSettings(threads=threads), settings, POLICIES[name](), size)
        stream = OwnStream(pipeline)
        found[name] = [(frames.left.stamp, *stream.match(frames)) for frames in frame_sets]
        pipeline.close()
    return found


def estimates_of(mode: str, recorded: Recording, pairing: str) -> list[OdometryEstimate]:
    """What an odometry answers to a recording."""
    odometry, prepare = odometry_of(mode, recorded)
    estimates = []
    for stamp, temporal, stereo in recorded.matched[pairing]:
        prepare(stamp)
        stereo = stereo if mode == "stereo" else None
        estimates.append(odometry.update(temporal, stereo, stamp=stamp))
    return estimates


def odometry_of(mode: str, recorded: Recording) -> tuple[Odometry, Callable[[int], None]]:
    """The odometry of a mode, and what sets what other sensors measure."""
    scene = recorded.scene
    camera = scene.intrinsics
    if mode == "stereo":
        return StereoOdometry(StereoRig(camera, camera, scene.baseline)), lambda stamp: None
    if mode == "planar":
        first = recorded.poses[scene.stamps[0]]
        normal = tuple(first.rotation.T[:, 2].tolist())
        settings = PlanarSettings(altitude_m=1.0, normal=normal, normal_sigma_deg=1.0)
        return PlanarOdometry(camera, settings), lambda stamp: None
    settings = MonoSettings(scale=MONO[mode], camera_height_m=scene.camera_height)
    odometry = MonoOdometry(camera, settings)
    if MONO[mode] is not ScaleSource.EXTERNAL:
        return odometry, lambda stamp: None
    speeds = dict(measured_speeds(recorded))

    def set_external(stamp: int) -> None:
        odometry.external_speed = speeds.get(stamp)

    return odometry, set_external


def measured_speeds(recorded: Recording) -> Iterator[tuple[int, float]]:
    """Speeds since the image before, m/s, as a sensor measures them."""
    rng = np.random.default_rng(recorded.scene.seed)
    for before, now in pairwise(recorded.scene.stamps):
        moved = recorded.poses[now].translation - recorded.poses[before].translation
        speed = float(np.linalg.norm(moved)) / ((now - before) / 1e9)
        yield now, speed * (1.0 + SPEED_SIGMA * rng.standard_normal())


def row(mode: str, pairing: str, found: Consistency) -> list[str]:
    """One line of the table."""
    return [
        mode,
        pairing,
        str(found.images),
        str(found.lost),
        f"{found.mean:.1f}",
        f"{found.low:.1f} to {found.high:.1f}",
        "-" if np.isnan(found.path) else f"{found.path:.0f}",
    ]


if __name__ == "__main__":
    sys.exit(main())
