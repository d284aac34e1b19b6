"""Odometry nodes that are sent malformed correspondences and camera_info."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from odometry_harness import (
    BASELINE,
    FOCAL,
    HEIGHT,
    WIDTH,
    OdometryClient,
    OdometryProcess,
    World,
    correspondences,
)
from ros_harness import NodeProcess, camera_info
from sensor_msgs.msg import CameraInfo
from std_msgs.msg import Header

from coarse_loftr_ros.cameras.pose import Pose
from reliability.fuzz_target import Target
from reliability.malformed_numbers import malformed_camera_info, malformed_correspondences

__all__ = ["MonoTarget", "PlanarTarget", "StereoTarget"]


class _CorrespondencesTarget(Target):
    ready = " odometry of "
    mode = ""
    parameters: tuple[str, ...] = ()

    def _start(self, namespace: str) -> tuple[NodeProcess, OdometryClient]:
        process = OdometryProcess(
            namespace, f"mode:={self.mode}", "queue_depth:=200", "diagnostics_period:=0.5",
            "path.max_poses:=100",
            *self.parameters,
        )  # fmt: skip
        self.index = 0
        client = OdometryClient(process, stereo=self.mode == "stereo")
        if self.mode == "planar":
            client.world = World.plane(5.0)
        return process, client

    @property
    def answers(self) -> list[list]:
        return [self.client.odometry, self.client.relative, self.client.paths]

    def _cameras(self) -> list[CameraInfo]:
        sides = range(len(self.client.camera_info))
        return [camera_info(WIDTH, HEIGHT, FOCAL, BASELINE * side) for side in sides]

    def _camera_at(self, index: int) -> Pose:
        """To and fro before the points of the world."""
        return Pose.exp(np.array([0.3 * np.sin(0.1 * index), 0, 0, 0, 0.05 * np.sin(index), 0]))

    def _spoil(self) -> bytes:
        client, rng = self.client, self.rng
        if rng.random() < 0.05:
            side = int(rng.integers(len(client.camera_info)))
            good = self._cameras()[side]
            content = malformed_camera_info(good, rng)
            client.camera_info[side].publish(content)
            client.camera_info[side].publish(good)
            return content
        before, now = ((i, self._camera_at(i)) for i in (self.index, self.index + 1))
        self.index += 1
        message = client.temporal_message(before, now)
        if client.stereo and rng.random() < 0.5:
            left, right = message.header, Header(stamp=message.header.stamp, frame_id="right")
            pixels = [client.world.seen(now[1], self.index, shift) for shift in (0.0, BASELINE)]
            stereo = correspondences((left, pixels[0]), (right, pixels[1]))
            content = malformed_correspondences(stereo, rng)
            client.stereo_publisher.publish(content)
            client.temporal.publish(message)
            return content
        if client.stereo:
            client.send_stereo(*now)
        content = malformed_correspondences(message, rng)
        client.temporal.publish(content)
        return content

    def _well_formed(self) -> Callable[[], bool]:
        for publisher, message in zip(self.client.camera_info, self._cameras(), strict=True):
            publisher.publish(message)
        self.client.spin(0.005)  # it is another topic
        # Nothing joins them to what went before: a first image, and one after it.
        first, second = ((i, self._camera_at(i)) for i in (self.index + 1, self.index + 2))
        self.index += 2
        if self.client.stereo:
            for image in (first, second):
                self.client.send_stereo(*image)
        self.client.temporal.publish(self.client.temporal_message(first, second))
        stamp = self.client.header(self.index).stamp
        return lambda: any(answer.header.stamp == stamp for answer in self.client.odometry)


class StereoTarget(_CorrespondencesTarget):
    """Odometry of a stereo camera."""

    kind = "Correspondences (stereo)"
    mode = "stereo"


class MonoTarget(_CorrespondencesTarget):
    """Odometry of one camera."""

    kind = "Correspondences (mono)"
    mode = "mono"
    parameters = ("mono.scale:=ground_plane", "mono.camera_height_m:=1.5")


class PlanarTarget(_CorrespondencesTarget):
    """Odometry above a plane."""

    kind = "Correspondences (planar)"
    mode = "planar"
    parameters = ("planar.altitude_m:=5.0",)
