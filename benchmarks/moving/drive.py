"""A stereo drive before which a vehicle drives ahead, with exact motion."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from coarse_loftr_lab.evaluation.tables import text_table
from coarse_loftr_ros.cameras.calibration import Calibration
from coarse_loftr_ros.detection.masks import DetectorMasks
from coarse_loftr_ros.images.frame import Frame
from coarse_loftr_ros.matching.frame_matching import MatchSettings
from coarse_loftr_ros.matching.pipeline import Pipeline
from coarse_loftr_ros.matching.pipeline_settings import PipelineSettings
from coarse_loftr_ros.matching.reference_policy import Consecutive, Keyframe
from coarse_loftr_ros.recordings.cameras import cameras_of_calibrations
from coarse_loftr_ros.recordings.frame_sets import FrameSet, FrameSets
from coarse_loftr_ros.recordings.opening import open_source
from coarse_loftr_ros.recordings.trajectories.matcher_streams import OwnStream
from coarse_loftr_ros.recordings.trajectories.modes import make_mode
from coarse_loftr_ros.recordings.trajectories.path_report import path_report
from coarse_loftr_ros.recordings.trajectories.trajectory import Trajectory
from coarse_loftr_ros.recordings.trajectories.truth import true_path, truth_beside
from coarse_loftr_ros.recordings.trajectories.visual_odometry import run_odometry
from moving.cut_outs import CutOut, put_in, view_of

__all__ = ["drive_table"]

DISTANCES_M = (14.0, 9.0, 6.0, 4.5)
HEIGHT_M = 2.6  # of the vehicle, whatever it is
ROAD_M = 1.65  # of KITTI's cameras above it


def drive_table(
    folder: Path, vehicle: CutOut, masks: DetectorMasks, threads: int, pairing: str
) -> str:
    """Drift without a vehicle, and with it at each distance without and with masks."""
    with open_source(folder, ["image_0", "image_1"], 10.0) as source:
        sets = FrameSets(source.images(), 0, source.report)
        drive = [frames for _, frames in sets]
        calibrations = source.calibrations()
        truth = true_path(truth_beside(folder), sets.numbers, source.frame_sets)

    def measured(drive: Sequence[FrameSet], motion_mask: bool) -> list[str]:
        return _measured(drive, calibrations, truth, threads, pairing, motion_mask)

    rows = [
        ["none", "", name, *measured(drive, on)]
        for name, on in (("no mask", False), ("motion mask", True))
    ]
    for distance in DISTANCES_M:
        driven = list(_behind(drive, vehicle, calibrations, distance))
        covers = [cover for _, cover in driven]
        plain = [frames for frames, _ in driven]
        seen = [masks.mask(frames.left.image) for frames in plain]
        caught = np.mean([(mask[c] == 0).mean() for mask, c in zip(seen, covers, strict=True)])
        true = [
            np.where(cv2.dilate(c.astype(np.uint8), np.ones((17, 17))), 0, 255).astype(np.uint8)
            for c in covers
        ]
        covered = f"{np.mean([c.mean() for c in covers]):.0%}"
        for name, made in (
            ("no mask", [None] * len(plain)),
            (f"detector's ({caught:.0%} of it left out)", seen),
            ("true", true),
            ("motion mask", [None] * len(plain)),
        ):
            masked = [
                replace(frames, left=replace(frames.left, mask=mask))
                for frames, mask in zip(plain, made, strict=True)
            ]
            found = measured(masked, name == "motion mask")
            rows.append([f"{distance:g} m ahead", covered, name, *found])
    header = ["vehicle", "covers", "masks", "t_rel, %", "r_rel, deg/m", "end, %", "OK/DEGR./LOST"]
    return text_table(header, rows)


def _measured(
    drive: Sequence[FrameSet],
    calibrations: Sequence[Calibration],
    truth: Trajectory,
    threads: int,
    pairing: str,
    motion_mask: bool,
) -> list[str]:
    settings = MatchSettings(row_tolerance_px=1.5, motion_mask=motion_mask)
    size = drive[0].left.width, drive[0].left.height
    policy = Keyframe() if pairing == "keyframe" else Consecutive()
    pipeline = Pipeline(PipelineSettings(threads=threads), settings, policy, size)
    cameras = cameras_of_calibrations(calibrations)
    seen = [frames.seen_by(cameras.left, cameras.right) for frames in drive]
    odometry = make_mode("stereo", cameras)
    report = path_report(run_odometry(seen, OwnStream(pipeline), odometry), truth)
    pipeline.close()
    parts = report.errors.segments
    return [
        f"{parts.mean_t_rel_percent:.2f}",
        f"{parts.mean_r_rel_deg_per_m:.3f}",
        f"{report.errors.end_percent:.2f}",
        f"{report.ok}/{report.degraded}/{report.lost}",
    ]


def _behind(
    drive: Sequence[FrameSet], vehicle: CutOut, calibrations: Sequence[Calibration], distance: float
) -> Iterator[tuple[FrameSet, NDArray[np.bool_]]]:
    """Each pair with the vehicle before it, and where that is in the left image.

    It is flat, faces the camera, and keeps its distance but for 0.3 m and its lane but for 0.5 m.
    """
    for number, frames in enumerate(drive):
        x = 0.5 * np.sin(0.3 * number)
        z = distance + 0.3 * np.sin(0.2 * number)
        images, covers = [], []
        for frame, camera in zip((frames.left, frames.right), calibrations, strict=True):
            motion = _projected(vehicle, camera, x, z)
            shown = view_of(vehicle, motion, (frame.width, frame.height))
            made = np.rint(put_in(frame.image.astype(np.float32), shown))
            images.append(_with(frame, made.astype(np.uint8)))
            covers.append(shown[1] > 0.5)
        yield FrameSet(*images), covers[0]


def _with(frame: Frame, image: NDArray[np.uint8]) -> Frame:
    return replace(frame, image=image)


def _projected(vehicle: CutOut, camera: Calibration, x: float, z: float) -> NDArray[np.float64]:
    """From the cut-out's pixels to those of a camera, for a vehicle at x, z metres on the road."""
    height, width = vehicle.image.shape
    metres = HEIGHT_M / height
    place = np.array(
        [
            [metres, 0, x - metres * (width - 1) / 2],
            [0, metres, ROAD_M - HEIGHT_M],
            [0, 0, z],
            [0, 0, 1],
        ]
    )
    motion = np.reshape(camera.projection, (3, 4)) @ place
    return motion / motion[2, 2]
