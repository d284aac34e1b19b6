"""What happens to correspondences: cameras, other sensors, the estimate, and what goes out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from time import perf_counter

import numpy as np
from sensor_msgs.msg import CameraInfo
from std_msgs.msg import Header

from coarse_loftr_msgs.msg import Correspondences
from coarse_loftr_ros.cameras.pose import Pose
from coarse_loftr_ros.images.frame import Intrinsics
from coarse_loftr_ros.node.common.defects import Defects
from coarse_loftr_ros.node.common.parameter import Value
from coarse_loftr_ros.node.common.statistics import Statistics
from coarse_loftr_ros.node.odometry.cameras import CameraError, LatestCameras
from coarse_loftr_ros.node.odometry.conversion import stereo_matches, temporal_matches
from coarse_loftr_ros.node.odometry.external import Samples
from coarse_loftr_ros.node.odometry.outputs import OdometryOutputs
from coarse_loftr_ros.node.odometry.parameters import settings
from coarse_loftr_ros.node.odometry.synchronizer import StereoSynchronizer, TemporalMessage
from coarse_loftr_ros.odometry.estimate import Odometry, OdometryEstimate
from coarse_loftr_ros.odometry.mono import MonoOdometry
from coarse_loftr_ros.odometry.observations import StereoRig, TemporalMatches
from coarse_loftr_ros.odometry.planar import PlanarOdometry
from coarse_loftr_ros.odometry.settings import ScaleSource
from coarse_loftr_ros.odometry.stereo import StereoOdometry
from coarse_loftr_ros.odometry.velocity import VelocityTracker

__all__ = ["Tracking"]


class _RefusedError(Exception):
    """A message that is not used: a cause to count, and a sentence."""

    def __init__(self, cause: str, sentence: str) -> None:
        super().__init__(sentence)
        self.cause = cause


class Tracking:
    """Brings correspondences to an odometry and its estimates to the publishers.

    Args:
        values: of all parameters; the attribute may be replaced, what is read-only stays.
        cameras: by their camera_info.
        mounting: gives the camera's optical frame in the robot's for the frame_id of the images,
            or ``None`` while it is not known.
        outputs: where estimates go.
        statistics: where events are counted.
        warn: called with a cause and a sentence when a message is not used.
        inform: called with a cause and a sentence when something noteworthy happened.
    """

    def __init__(
        self,
        values: Mapping[str, Value],
        cameras: LatestCameras,
        mounting: Callable[[str], Pose | None],
        outputs: OdometryOutputs,
        statistics: Statistics[OdometryEstimate],
        warn: Callable[[str, str], None],
        inform: Callable[[str, str], None],
    ) -> None:
        self.values = values
        self.speeds = Samples()
        self.ranges = Samples()
        self._cameras = cameras
        self._find_mounting = mounting
        self._outputs = outputs
        self._statistics = statistics
        self._warn = warn
        self._inform = inform
        self._defects = Defects(statistics, warn)
        self._stereo = values["mode"] == "stereo"
        self._synchronizer = StereoSynchronizer(self._stereo, values["queue_depth"])
        self._odometry: Odometry | None = None
        self._velocity: VelocityTracker | None = None
        self._mounting: Pose | None = None
        self._camera_frame = ""
        self._latest: OdometryEstimate | None = None

    @property
    def waiting(self) -> bool:
        """Whether temporal matches wait for stereo matches."""
        return len(self._synchronizer) > 0

    @property
    def mounting(self) -> Pose | None:
        """The camera's optical frame in the robot's, once it is in use."""
        return self._mounting

    @property
    def camera_frame(self) -> str:
        """The frame_id of the images; empty before the first one."""
        return self._camera_frame

    @property
    def _tolerance_ns(self) -> int:
        return round(self.values["external_timeout"] * 1e9)

    def reset(self, cause: str) -> None:
        """Start over: the path begins at the reference of the next image."""
        self._statistics.reset(cause)
        self._synchronizer.restart()
        self._odometry = None
        self._mounting = None
        self._latest = None
        self._outputs.path.clear()

    def change_camera(self, side: int, info: CameraInfo) -> None:
        """A camera_info came; another camera than before starts over."""
        changed = self._cameras.take(side, info)
        problem = self._cameras.problem(side)
        if problem:
            self._reject("camera_info", problem)
        if changed and self._odometry is not None:
            self._warn("camera", f"{changed}: odometry starts over")
            self.reset("camera")

    def add_stereo(self, message: Correspondences) -> None:
        """Stereo matches came."""
        self._synchronizer.add_stereo(message, perf_counter())
        self.work()

    def add_temporal(self, message: Correspondences) -> None:
        """Temporal matches came."""
        self._synchronizer.add_temporal(message, perf_counter())
        self.work()

    def work(self) -> None:
        """Use what is complete or has waited long enough."""
        while received := self._synchronizer.next(perf_counter(), self.values["stereo_wait"]):
            with self._defects.survived("using matches"):
                try:
                    self._use(received)
                except _RefusedError as refused:
                    self._reject(refused.cause, str(refused))

    def _use(self, received: TemporalMessage) -> None:
        begin = perf_counter()
        message = received.message
        try:
            temporal = temporal_matches(message)
        except ValueError as error:
            raise _RefusedError("correspondences", f"correspondences left out: {error}") from error
        if temporal.reference_stamp >= temporal.stamp:
            raise _RefusedError(
                "stamp",
                f"stamp {temporal.stamp / 1e9:.3f} s is not later than that of its reference, "
                f"{temporal.reference_stamp / 1e9:.3f} s: are these the matches of one camera?",
            )
        self._check_continuity(message, temporal)
        self._make_ready(message)
        if self._latest is None or temporal.reference_stamp > self._latest.stamp:
            # The reference is an image of which nothing was received: the first one, or the first
            # after the matcher started over.
            header = message.reference_header
            self._advance(None, temporal.reference_stamp, (header, header), begin, begin)
        headers = message.header, message.reference_header
        self._advance(temporal, temporal.stamp, headers, received.received_s, begin)
        self._synchronizer.done(received)

    def _check_continuity(self, message: Correspondences, temporal: TemporalMatches) -> None:
        """Start over where these matches cannot follow the ones before."""
        if self._latest is None:
            return
        if temporal.stamp == self._latest.stamp:
            raise _RefusedError("stamp", "two messages have one stamp: are two matchers at work?")
        if temporal.stamp < self._latest.stamp:
            back = (self._latest.stamp - temporal.stamp) / 1e9
            self._warn("time", f"time went back by {back:.3f} s: odometry starts over")
            self.reset("time")
            for samples in (self.speeds, self.ranges):
                samples.restart(temporal.stamp + self._tolerance_ns)
        elif message.header.frame_id != self._camera_frame:
            self._warn(
                "frame_id",
                f"frame_id changed from '{self._camera_frame}' to '{message.header.frame_id}': "
                "odometry starts over",
            )
            self.reset("frame_id")

    def _make_ready(self, message: Correspondences) -> None:
        """Make the odometry once its cameras and their mounting are known.

        Raises:
            _RefusedError: when they are not, or the matches are of images of another size.
        """
        try:
            camera = self._cameras_of(message)
        except CameraError as error:
            raise _RefusedError("camera_info", f"correspondences left out: {error}") from error
        if self._odometry is not None:
            return
        frame = message.header.frame_id
        mounting = self._find_mounting(frame)
        if mounting is None:
            raise _RefusedError(
                "mounting",
                f"correspondences left out: TF knows no transform from "
                f"{self.values['base_frame']} to '{frame}', the frame_id of the images",
            )
        chosen = settings(self.values, mounting)
        if self._stereo:
            self._odometry = StereoOdometry(camera, chosen)
        elif self.values["mode"] == "mono":
            self._odometry = MonoOdometry(camera, chosen)
        else:
            self._odometry = PlanarOdometry(camera, chosen)
        self._velocity = VelocityTracker(mounting, chosen)
        self._mounting, self._camera_frame = mounting, frame
        for topic in self._cameras.distorted():
            self._inform(
                "distortion",
                f"{topic} has a distortion: the correspondences are taken to be those of rectified "
                "images (image_rect, or a matcher with rectify)",
            )

    def _cameras_of(self, message: Correspondences) -> Intrinsics | StereoRig:
        """The camera, or both, of the matched images.

        Raises:
            CameraError: when one is not known, or is of images of another size.
        """
        find = self._cameras.rig if self._stereo else self._cameras.single
        reference = message.reference_width, message.reference_height
        if all(reference):  # zero: not known to the sender
            find(*reference)
        return find(message.width, message.height)

    def _advance(
        self,
        temporal: TemporalMatches | None,
        stamp: int,
        headers: tuple[Header, Header],
        received_s: float,
        begin: float,
    ) -> None:
        """One image: estimate and publish."""
        stereo = None
        message = self._synchronizer.stereo_of(stamp)
        if message is not None:
            try:
                self._cameras_of(message)
                stereo = stereo_matches(message)
            except ValueError as error:
                self._reject("stereo", f"stereo correspondences left out: {error}")
        elif self._stereo:
            self._statistics.lost("without stereo matches")
            self._warn(
                "without stereo",
                f"no stereo matches of the image at {stamp / 1e9:.3f} s: is the matcher's mode "
                "stereo, and does it match them in time (stereo_wait)?",
            )
        self._pass_measurements(stamp)
        estimate = self._odometry.update(temporal, stereo, stamp=stamp)
        if not np.isfinite(estimate.covariance).all():
            self.reset("not finite")
            raise _RefusedError("runtime", "a covariance is not finite: odometry starts over")
        estimated = perf_counter()
        velocity = self._velocity.update(estimate)
        if not velocity.linear_measured:
            self._statistics.count("linear velocity not measured")
        self._latest = estimate
        with self._defects.survived("publishing"):
            self._outputs.publish(estimate, velocity, self._mounting, headers)
            if isinstance(odometry := self._odometry, StereoOdometry):
                self._outputs.publish_landmarks(lambda: odometry.landmarks(stamp), headers[0])
            done = perf_counter()
            self._statistics.published(
                estimate,
                {
                    "wait": (begin - received_s) * 1e3,
                    "odometry": (estimated - begin) * 1e3,
                    "publish": (done - estimated) * 1e3,
                    "received to published": (done - received_s) * 1e3,
                },
            )

    def _pass_measurements(self, stamp: int) -> None:
        """Give the odometry what other sensors measured."""
        odometry, tolerance = self._odometry, self._tolerance_ns
        if isinstance(odometry, MonoOdometry) and odometry.settings.scale == ScaleSource.EXTERNAL:
            before = stamp if self._latest is None else self._latest.stamp
            odometry.external_speed = self.speeds.mean(before, stamp, tolerance)
        elif isinstance(odometry, PlanarOdometry):
            odometry.external_range = self.ranges.nearest(stamp, tolerance)

    def _reject(self, cause: str, sentence: str) -> None:
        self._statistics.rejected(cause)
        self._warn(cause, sentence)
