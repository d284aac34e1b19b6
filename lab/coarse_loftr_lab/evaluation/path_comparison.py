"""The same odometry on the matches of several methods, side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from coarse_loftr_lab.evaluation.measuring import Progress, refuse_equal_names
from coarse_loftr_lab.evaluation.own import OwnMatcher
from coarse_loftr_ros.features.pair_matcher import PairMatcher
from coarse_loftr_ros.matching.reference_policy import Consecutive
from coarse_loftr_ros.odometry.estimate import Odometry
from coarse_loftr_ros.recordings.frame_sets import FrameSet
from coarse_loftr_ros.recordings.trajectories.matcher_streams import (
    MatcherStream,
    OwnStream,
    PairStream,
)
from coarse_loftr_ros.recordings.trajectories.path_report import PathReport, path_report
from coarse_loftr_ros.recordings.trajectories.trajectory import Trajectory
from coarse_loftr_ros.recordings.trajectories.visual_odometry import VisualOdometry

__all__ = ["Drive", "DriveReport", "DriveResult", "compare_paths"]


@dataclass(frozen=True, eq=False)
class Drive:
    """A recording and the odometry to run on it.

    Attributes:
        name: of the recording.
        mode: ``stereo``, ``mono`` or ``planar``.
        length: frame sets.
        frame_sets: gives them, anew at each call.
        make_odometry: makes a new odometry of the mode.
        truth: gives the true path, from the stamps of the images.
    """

    name: str
    mode: str
    length: int
    frame_sets: Callable[[], Iterator[FrameSet]]
    make_odometry: Callable[[], Odometry]
    truth: Callable[[list[int]], Trajectory]


@dataclass(frozen=True)
class DriveResult:
    """One method on one drive.

    Attributes:
        drive: name of the recording.
        mode: of the odometry.
        method: the method's name.
        match_ratio: median over the images of the time of matching, as a multiple of the first
            method's on the same image.
        path: what the path is worth.
    """

    drive: str
    mode: str
    method: str
    match_ratio: float
    path: PathReport


@dataclass(frozen=True)
class DriveReport:
    """All methods on all drives.

    Attributes:
        results: one per drive and method.
    """

    results: tuple[DriveResult, ...]


def compare_paths(
    methods: Sequence[PairMatcher], drives: Sequence[Drive], progress: Progress | None = None
) -> DriveReport:
    """Run odometry on each drive with the matches of each method.

    Each image is matched with the one before it. The methods take every image in turns, so that
    what a machine is busy with besides slows all of them alike.

    Args:
        methods: with different names; of ours the pipeline itself is run.
        drives: the recordings.
        progress: called after each image and method.

    Raises:
        ValueError: when two methods have the same name.
    """
    refuse_equal_names(methods)
    steps = len(methods) * sum(drive.length for drive in drives)
    done, results = 0, []
    for drive in drives:
        followers = [VisualOdometry(_stream(method), drive.make_odometry()) for method in methods]
        for frames in drive.frame_sets():
            for follower, method in zip(followers, methods, strict=True):
                follower.take(frames)
                done += 1
                if progress is not None:
                    progress(done, steps, f"{drive.name}, {drive.mode}: {method.name}")
        runs = [follower.run for follower in followers]
        truth = drive.truth([estimate.stamp for estimate in runs[0].estimates])
        first = runs[0].match_ms[1:]
        results += [
            DriveResult(
                drive.name,
                drive.mode,
                method.name,
                float(np.median(run.match_ms[1:] / first)),
                path_report(run, truth),
            )
            for method, run in zip(methods, runs, strict=True)
        ]
    return DriveReport(tuple(results))


def _stream(method: PairMatcher) -> MatcherStream:
    if not isinstance(method, OwnMatcher):
        return PairStream(method, Consecutive())
    method.pipeline.reset()
    return OwnStream(method.pipeline)
