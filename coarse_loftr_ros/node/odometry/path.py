"""The path travelled, as few poses as show it."""

from __future__ import annotations

import math
from collections.abc import Sequence

from geometry_msgs.msg import PoseStamped

__all__ = ["DecimatedPath"]


class DecimatedPath:
    """Poses at least a distance apart; when there are too many, every second one goes.

    Args:
        min_distance: between two poses, metres.
        max_poses: most poses, at least 2.
    """

    def __init__(self, min_distance: float, max_poses: int) -> None:
        self.min_distance = min_distance
        self.max_poses = max_poses
        self._poses: list[PoseStamped] = []
        self._spacing = 1.0  # times min_distance

    @property
    def poses(self) -> Sequence[PoseStamped]:
        """The poses that are kept, in order."""
        return self._poses

    def clear(self) -> None:
        """Begin anew."""
        self._poses.clear()
        self._spacing = 1.0

    def add(self, pose: PoseStamped) -> bool:
        """Take a pose that is far enough from the one before; whether it was."""
        if self._poses:
            distance = _distance(self._poses[-1], pose)
            if distance < self.min_distance * self._spacing or distance == 0.0:
                return False
        self._poses.append(pose)
        if len(self._poses) > self.max_poses:
            self._poses = self._poses[::2]
            self._spacing *= 2.0
        return True


def _distance(first: PoseStamped, second: PoseStamped) -> float:
    a, b = first.pose.position, second.pose.position
    return math.dist((a.x, a.y, a.z), (b.x, b.y, b.z))
