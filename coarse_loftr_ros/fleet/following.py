"""The work on one recording: match its images, follow its camera, write what came of it."""

from __future__ import annotations

import hashlib
import json
import resource
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from coarse_loftr_ros.cameras.calibration import Calibration, CalibrationError
from coarse_loftr_ros.fleet.moments import WorstMoments
from coarse_loftr_ros.fleet.pipelines import Pipelines
from coarse_loftr_ros.fleet.series import Series
from coarse_loftr_ros.fleet.settings import Settings
from coarse_loftr_ros.fleet.streams import RecordedStream, streams_of
from coarse_loftr_ros.fleet.summary import summary_of
from coarse_loftr_ros.fleet.truth import find_truth
from coarse_loftr_ros.odometry.estimate import Odometry
from coarse_loftr_ros.recordings.bags.writer import BagWriter
from coarse_loftr_ros.recordings.cameras import cameras_of_calibrations
from coarse_loftr_ros.recordings.errors import RecordingError
from coarse_loftr_ros.recordings.frame_sets import FrameSet, FrameSets
from coarse_loftr_ros.recordings.input_report import InputReport
from coarse_loftr_ros.recordings.one_camera import of_one_camera, of_one_size
from coarse_loftr_ros.recordings.opening import open_source
from coarse_loftr_ros.recordings.replays.cameras import ImageCameras
from coarse_loftr_ros.recordings.replays.output import ReplayOutput
from coarse_loftr_ros.recordings.source import Source, SourceImage
from coarse_loftr_ros.recordings.trajectories.files import kitti_text, tum_text
from coarse_loftr_ros.recordings.trajectories.modes import make_mode
from coarse_loftr_ros.recordings.trajectories.visual_odometry import OdometryRun, VisualOdometry

__all__ = ["Outputs", "Stopwatch", "follow"]

_LOOK_EVERY = 16  # images between two looks at the memory
_Item = TypeVar("_Item")


@dataclass(frozen=True)
class Outputs:
    """What is written of each recording besides its summary.

    Attributes:
        matches: every match, as Parquet.
        bag: what the matcher node would publish, as MCAP.
        memory_bytes: of this process beyond which a recording is given up; ``None`` for no limit.
    """

    matches: bool = True
    bag: bool = False
    memory_bytes: int | None = None


@dataclass
class Stopwatch:
    """Seconds of each stage, and images; not part of the results, which are the same every time."""

    images: int = 0
    bytes: int = 0
    seconds: dict[str, float] = field(default_factory=dict)

    def add(self, stage: str, since: float) -> float:
        """Count the time since then for a stage; now."""
        now = time.perf_counter()
        self.seconds[stage] = self.seconds.get(stage, 0.0) + now - since
        return now

    def each(self, stage: str, items: Iterable[_Item]) -> Iterator[_Item]:
        """Pass items on, counting the time that they take to come."""
        iterator = iter(items)
        while True:
            start = time.perf_counter()
            try:
                item = next(iterator)
            except StopIteration:
                return
            finally:
                self.add(stage, start)
            yield item


def follow(
    path: Path,
    settings: Settings,
    outputs: Outputs,
    pipelines: Pipelines,
    folder: Path,
    watch: Stopwatch,
) -> dict[str, Any]:
    """Match and follow a recording, and write all but the result itself.

    Args:
        path: of the recording.
        settings: what to do.
        outputs: what to write.
        pipelines: models that are loaded already.
        folder: to write in.
        watch: counts images and time.

    Returns:
        What became of it, as plain values.

    Raises:
        RecordingError: when the recording cannot be used.
        BackendError: when the model cannot.
        OSError: when something cannot be written.
    """
    streams = streams_of(path, settings)
    report = InputReport()
    with ExitStack() as stack:
        source = stack.enter_context(open_source(path, streams, settings.rate, report))
        mode = _mode(settings, len(streams))
        calibrations, lacking = _calibrations(source)
        rectify = _rectifies(settings, source, calibrations)
        odometry, why_not = _odometry(mode, settings, source, calibrations, lacking, rectify)
        images = _images(
            watch.each("read and decode", source.images()), calibrations, report, rectify
        )
        cameras = ImageCameras(images, report, rectify=False)
        tolerance = round(settings.tolerance_ms * 1e6) if len(streams) > 1 else None
        frame_sets = FrameSets(cameras, tolerance, report)
        moments, stream = WorstMoments(), None
        visual_odometry: VisualOdometry | None = None
        series = Series(folder, matches=outputs.matches)
        stack.callback(series.close)
        bag = None
        for count, (recorded, frames) in enumerate(frame_sets):
            _check(frames)
            start = time.perf_counter()
            if stream is None:
                size = frames.left.width, frames.left.height
                stream = RecordedStream(pipelines.get(settings, size), cameras)
                visual_odometry = VisualOdometry(stream, odometry) if odometry else None
                if outputs.bag:
                    writer = stack.enter_context(BagWriter(folder / "matches.mcap"))
                    bag = ReplayOutput(
                        writer, "matcher", source, cameras, None, stereo=len(streams) > 1
                    )
                start = watch.add("load", start)
            estimate = None
            if visual_odometry is None:
                stream.match(frames)
            else:
                visual_odometry.take(frames)
                estimate = visual_odometry.latest
            start = watch.add("match and follow", start)
            result = stream.latest
            if bag is not None:
                bag.write(recorded, frames, result)
            if result.temporal is not None:
                moments.offer(result.temporal)
            series.add(frame_sets.numbers[frames.left.stamp], frames, result, estimate)
            watch.add("write", start)
            watch.images = frame_sets.images
            if count % _LOOK_EVERY == 0:
                _check_memory(outputs.memory_bytes)
        if frame_sets.pairs == 0:
            raise RecordingError(_nothing(source))
        start = time.perf_counter()
        run = None if visual_odometry is None else visual_odometry.run
        truth, truth_lacking = find_truth(path, settings, frame_sets.numbers, source, streams)
        result = summary_of(series, run, truth, source, frame_sets)
        result["mode"] = mode if run is not None else "none"
        result["camera"] = _camera(calibrations)
        result["odometry_lacking"] = why_not
        result["truth_lacking"] = truth_lacking
        result["streams"] = [str(name) for name in streams if name is not None]
        result["moments"] = moments.write(folder)
        (folder / "curves.json").write_text(json.dumps(series.curves()) + "\n")
        _write_path(folder, run)
        watch.add("write", start)
    return result


def _mode(settings: Settings, streams: int) -> str:
    """The mode of the odometry.

    Raises:
        RecordingError: when it needs another number of cameras.
    """
    if settings.mode == "auto":
        return "stereo" if streams > 1 else "mono"
    if settings.mode == "stereo" and streams < 2:
        raise RecordingError(
            "mode stereo needs two cameras, and one was found: name left and right"
        )
    return settings.mode


def _calibrations(source: Source) -> tuple[list[Calibration], str]:
    """The cameras of a recording, or why there are none."""
    try:
        calibrations = source.calibrations()
    except RecordingError as error:
        return [], str(error)
    lacking = "it comes without a calibration (camera_info, calib.txt or sensor.yaml)"
    return calibrations, "" if calibrations else lacking


def _camera(calibrations: list[Calibration]) -> str:
    """What tells one camera from another; empty where none is known."""
    if not calibrations:
        return ""
    return hashlib.sha256(repr(calibrations).encode()).hexdigest()[:8]


def _rectifies(settings: Settings, source: Source, calibrations: list[Calibration]) -> bool:
    if settings.rectify == "auto":
        return source.raw and bool(calibrations)
    return settings.rectify == "always" and bool(calibrations)


def _odometry(
    mode: str,
    settings: Settings,
    source: Source,
    calibrations: list[Calibration],
    lacking: str,
    rectify: bool,
) -> tuple[Odometry | None, str]:
    """The odometry, or why there is none: matching needs no cameras."""
    if mode == "none":
        return None, "mode is none"
    if lacking:
        return None, lacking
    if source.raw and not rectify:
        return None, "the images are raw: set rectify"
    try:
        made = make_mode(
            mode,
            cameras_of_calibrations(calibrations),
            window=settings.window if mode == "stereo" else 0,
            camera_height_m=settings.camera_height,
            altitude_m=settings.altitude,
        )
    except ValueError as error:
        return None, str(error)
    return made, ""


def _images(
    images: Iterator[SourceImage],
    calibrations: list[Calibration],
    report: InputReport,
    rectify: bool,
) -> Iterable[SourceImage]:
    """The images of one camera, or of one size where cameras are not known.

    Raises:
        RecordingError: when they are to be rectified and cannot be.
    """
    if not calibrations:
        return of_one_size(images, report)
    try:
        return of_one_camera(images, calibrations, report, rectify=rectify)
    except CalibrationError as error:
        raise RecordingError(str(error)) from error


def _check(frames: FrameSet) -> None:
    left, right = frames.left, frames.right
    if right is not None and left.image.shape != right.image.shape:
        raise RecordingError(
            f"left images are {left.width}x{left.height}, right ones {right.width}x{right.height}"
        )


def _check_memory(limit: int | None) -> None:
    """Give a recording up before the system ends the worker, and others with it.

    Raises:
        RecordingError: when this process has more than it may.
    """
    if limit is None:
        return
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    used = pages * resource.getpagesize()
    if used > limit:
        raise RecordingError(
            f"it needs more memory than a worker has: {used / 1e9:.1f} of {limit / 1e9:.1f} GB"
        )


def _nothing(source: Source) -> str:
    causes = "; ".join(f"{each.count} x {each.example}" for each in source.report.rejected.values())
    return f"{source.description} has no image that can be used{f': {causes}' if causes else ''}"


def _write_path(folder: Path, run: OdometryRun | None) -> None:
    if run is None:
        return
    (folder / "trajectory.tum").write_text(tum_text(run.trajectory))
    (folder / "trajectory.kitti").write_text(kitti_text(run.trajectory))
