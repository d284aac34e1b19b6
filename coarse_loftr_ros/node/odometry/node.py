"""The lifecycle node ``odometry``: correspondences in, the robot's pose and velocity out."""

from __future__ import annotations

from collections.abc import Mapping

from coarse_loftr_ros.node.common.managed_node import ManagedNode, NotReadyError
from coarse_loftr_ros.node.common.parameter import Value
from coarse_loftr_ros.node.odometry.activity import OdometryActivity
from coarse_loftr_ros.node.odometry.parameter_table import PARAMETERS
from coarse_loftr_ros.node.odometry.parameters import check
from coarse_loftr_ros.node.odometry.transforms import tf_available

__all__ = ["OdometryNode"]


class OdometryNode(ManagedNode[None]):
    """Turns the matcher's correspondences into odometry.

    Raises:
        ParameterError: when a parameter is refused at start.
    """

    def __init__(self) -> None:
        super().__init__("odometry", "odometry", PARAMETERS, check)

    def prepare(self, values: Mapping[str, Value]) -> None:
        """Nothing is slow; what is missing is reported now."""
        if values["mounting.source"] == "tf" and not tf_available():
            raise NotReadyError(
                "parameter 'mounting.source' is 'tf', and tf2_ros is not installed; give the "
                "mounting by parameters"
            )

    def open(self, prepared: None, values: Mapping[str, Value]) -> OdometryActivity:
        """Open topics and services."""
        return OdometryActivity(self, values)
