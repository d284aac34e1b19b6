"""Everything of the odometry node that exists only while it is active."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from diagnostic_msgs.msg import DiagnosticStatus
from nav_msgs.msg import Odometry
from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CameraInfo, Range
from std_srvs.srv import Trigger

from coarse_loftr_msgs.msg import Correspondences
from coarse_loftr_ros.cameras.pose import Pose
from coarse_loftr_ros.node.common.activity import Activity
from coarse_loftr_ros.node.common.conversion import stamp_ns
from coarse_loftr_ros.node.common.input_diagnostics import Expectations
from coarse_loftr_ros.node.common.parameter import Value
from coarse_loftr_ros.node.common.statistics import Snapshot
from coarse_loftr_ros.node.common.subscribing import subscribe, subscribe_to_latest
from coarse_loftr_ros.node.odometry.cameras import LatestCameras
from coarse_loftr_ros.node.odometry.conversion import camera_speed
from coarse_loftr_ros.node.odometry.diagnostics import odometry_status
from coarse_loftr_ros.node.odometry.outputs import FrameIds, OdometryOutputs
from coarse_loftr_ros.node.odometry.parameters import mounting, why_not_metric
from coarse_loftr_ros.node.odometry.path import DecimatedPath
from coarse_loftr_ros.node.odometry.silence import why_silent
from coarse_loftr_ros.node.odometry.tracking import Tracking
from coarse_loftr_ros.node.odometry.transforms import Broadcaster, MountingLookup, tf_available
from coarse_loftr_ros.odometry.estimate import OdometryEstimate

__all__ = ["OdometryActivity"]

# How often it is looked whether matches have waited long enough.
_WAITING_PERIOD_S = 0.01
# What is more than any robot's is a fault of the sensor: the largest lost_speed and altitude_m.
_MOST_SPEED, _MOST_RANGE = 1000.0, 10_000.0


class OdometryActivity(Activity[OdometryEstimate]):
    """Topics and services of the odometry node between activate and deactivate.

    All of it runs on the executor: an estimate takes a few milliseconds.

    Args:
        node: that owns them.
        values: of all parameters.
    """

    def __init__(self, node: Node, values: Mapping[str, Value]) -> None:
        # Temporal are the matches with an earlier image; stereo those of left with right.
        self._topics = {"": "matcher/correspondences"}
        if values["mode"] == "stereo":
            self._topics = {
                "temporal": "matcher/correspondences",
                "stereo": "matcher/stereo/correspondences",
            }
        super().__init__(node, values, tuple(self._topics))
        self._parameter_mounting = mounting(values)
        self._lookup = None
        if values["mounting.source"] == "tf":
            self._lookup = MountingLookup(node, values["base_frame"])
        sides = ("left/", "right/") if values["mode"] == "stereo" else ("",)
        topics = [node.resolve_topic_name(side + "camera_info") for side in sides]
        self._outputs = OdometryOutputs(
            node,
            FrameIds(values["odom_frame"], values["base_frame"]),
            Broadcaster(node) if self._can_broadcast() else None,
            DecimatedPath(values["path.min_distance"], values["path.max_poses"]),
            values["path.max_rate"],
            stereo=values["mode"] == "stereo",
        )
        self._tracking = Tracking(
            self._values,
            LatestCameras(tuple(topics)),
            self._find_mounting,
            self._outputs,
            self._statistics,
            self._warn,
            self._inform,
        )
        # Simulated time may stand still while matches wait.
        self._timer = node.create_timer(
            _WAITING_PERIOD_S, self._use_waiting, clock=Clock(clock_type=ClockType.STEADY_TIME)
        )
        self._timer.cancel()
        self._service = node.create_service(Trigger, "~/reset", self._reset)
        self._subscriptions = []
        self._subscribe(topics)
        self._log.info(
            f"{values['mode']} odometry of {self._subscriptions[0].topic_name}, "
            f"{values['odom_frame']} to {values['base_frame']}"
        )

    def close(self) -> None:
        """Close everything."""
        for subscription in self._subscriptions:
            self._node.destroy_subscription(subscription)
        self._node.destroy_service(self._service)
        self._node.destroy_timer(self._timer)
        self._outputs.close()
        if self._lookup is not None:
            self._lookup.close()
        super().close()

    def change(self, values: Mapping[str, Value]) -> None:
        """Use other parameter values, already checked, from the next image on."""
        super().change(values)
        self._tracking.values = self._values
        self._outputs.path.min_distance = values["path.min_distance"]
        self._outputs.path.max_poses = values["path.max_poses"]
        self._outputs.path_rate = values["path.max_rate"]

    def expectations(self) -> Expectations:
        """Of the correspondences."""
        return Expectations("message", self._values["input_timeout"], self._why_silent)

    def result_status(
        self,
        name: str,
        snapshot: Snapshot[OdometryEstimate],
        since: Snapshot[OdometryEstimate] | None,
        expected: Expectations,
    ) -> DiagnosticStatus:
        """The odometry."""
        return odometry_status(name, self._values["mode"], snapshot, since, expected)

    def _subscribe(self, info_topics: list[str]) -> None:
        values, node = self._values, self._node
        depth = values["queue_depth"]
        for name, topic in self._topics.items():
            take = self._take_callback(name)
            self._subscriptions.append(
                subscribe(node, Correspondences, topic, take, depth, self._count_lost)
            )
        for side, topic in enumerate(info_topics):
            take_info = self._camera_callback(side)
            self._subscriptions += subscribe_to_latest(node, CameraInfo, topic, take_info)
        sensors = []
        if values["mode"] == "mono" and values["mono.scale"] == "external":
            sensors.append((Odometry, "external_odometry", self._take_speed))
        if values["mode"] == "planar" and values["altitude_source"] == "range":
            sensors.append((Range, "range", self._take_range))
        qos = QoSProfile(depth=depth, reliability=ReliabilityPolicy.BEST_EFFORT)
        for kind, topic, take in sensors:
            self._subscriptions.append(node.create_subscription(kind, topic, take, qos))

    def _count_lost(self, number: int) -> None:
        self._statistics.lost("lost by the middleware", number)

    def _take_callback(self, name: str) -> Callable[[Correspondences], None]:
        add = self._tracking.add_stereo if name == "stereo" else self._tracking.add_temporal

        def take(message: Correspondences) -> None:
            self._statistics.received(name)
            with self.defects.survived("taking matches"):
                add(message)
            self._set_timer()

        return take

    def _use_waiting(self) -> None:
        with self.defects.survived("taking matches"):
            self._tracking.work()
        self._set_timer()

    def _set_timer(self) -> None:
        if not self._tracking.waiting:
            self._timer.cancel()
        elif self._timer.is_canceled():
            self._timer.reset()

    def _camera_callback(self, side: int):
        def take(message: CameraInfo) -> None:
            with self.defects.survived("taking camera_info"):
                self._tracking.change_camera(side, message)

        return take

    def _take_speed(self, message: Odometry) -> None:
        frame = message.child_frame_id.lstrip("/")
        camera = self._camera_in(frame)
        if camera is None:
            base = self._values["base_frame"]
            self._reject(
                "external_odometry",
                f"external_odometry left out: its child_frame_id, whose twist it gives, is "
                f"'{frame}' and base_frame is '{base}'; only with mounting.source tf, from the "
                "first image on, and where TF connects the camera with that frame, may they differ",
            )
            return
        speed = camera_speed(message.twist.twist, camera)
        if not speed <= _MOST_SPEED:  # nor one that is no number
            self._reject(
                "external_odometry",
                f"external_odometry left out: its twist makes the camera {speed:g} m/s fast; at "
                f"most {_MOST_SPEED:g} m/s are believed",
            )
            return
        self._tracking.speeds.add(stamp_ns(message.header.stamp), speed)

    def _camera_in(self, frame: str) -> Pose | None:
        """The camera in the frame of a twist; ``None`` where that is not known."""
        tracking = self._tracking
        # An empty frame means the robot.
        if frame in ("", self._values["base_frame"].lstrip("/")):
            # From TF, the mounting is known with the first image.
            return tracking.mounting or self._parameter_mounting
        if frame == tracking.camera_frame.lstrip("/"):
            return Pose.identity()
        if self._lookup is None or not tracking.camera_frame:
            return None
        return self._lookup.find(tracking.camera_frame, frame)

    def _take_range(self, message: Range) -> None:
        # Out of its limits a range means nothing seen (REP 117); that is no fault.
        within = message.min_range <= message.range <= message.max_range
        if within and 0 < message.range <= _MOST_RANGE:
            self._tracking.ranges.add(stamp_ns(message.header.stamp), float(message.range))
        else:
            self._statistics.count("ranges out of limits")

    def _find_mounting(self, camera_frame: str) -> Pose | None:
        if self._lookup is None:
            return self._parameter_mounting
        return self._lookup.find(camera_frame)

    def _can_broadcast(self) -> bool:
        why = why_not_metric(self._values)
        if why:
            self._log.warning(
                f"{why}: lengths are in a unit of their own, not metres; nothing is sent on /tf, "
                "and the variance of positions and linear velocities says that they are unknown"
            )
        elif self._values["publish_tf"] and not tf_available():
            self._log.warning(
                "tf2_ros is not installed: nothing is sent on /tf (it comes with ROS, in package "
                "tf2_ros_py; publish_tf false takes this notice away)"
            )
        return self._values["publish_tf"] and not why and tf_available()

    def _why_silent(self, names: Sequence[str]) -> str:
        topics = [self._node.resolve_topic_name(self._topics[name]) for name in names]
        return why_silent(self._node, topics)

    def _reset(self, request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        self._tracking.reset("asked")
        response.success = True
        response.message = "the path begins anew at the reference of the next image"
        return response
