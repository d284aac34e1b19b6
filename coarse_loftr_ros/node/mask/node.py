"""The lifecycle node ``mask``: images in, masks that leave out what moves."""

from __future__ import annotations

from collections.abc import Mapping

from coarse_loftr_ros.detection.description import DetectorError
from coarse_loftr_ros.detection.detector import Detector
from coarse_loftr_ros.node.common.managed_node import ManagedNode, NotReadyError
from coarse_loftr_ros.node.common.parameter import Value
from coarse_loftr_ros.node.mask.activity import MaskActivity
from coarse_loftr_ros.node.mask.parameter_table import PARAMETERS
from coarse_loftr_ros.node.mask.parameters import check, load_detector, looked_for

__all__ = ["MaskNode"]


class MaskNode(ManagedNode[Detector]):
    """Publishes a mask for each image, made by a light detector.

    Raises:
        ParameterError: when a parameter is refused at start.
    """

    def __init__(self) -> None:
        super().__init__("mask", "masks", PARAMETERS, self._check_values)

    def prepare(self, values: Mapping[str, Value]) -> Detector:
        """Load the detector and run it once."""
        try:
            detector = load_detector(values)
        except DetectorError as error:
            raise NotReadyError(str(error)) from error
        names = ", ".join(looked_for(values) or detector.description.moving)
        self.get_logger().info(f"detector {detector.description.model.name} looks for {names}")
        return detector

    def open(self, prepared: Detector, values: Mapping[str, Value]) -> MaskActivity:
        """Open topics."""
        return MaskActivity(self, prepared, values)

    def change_prepared(self, prepared: Detector, values: Mapping[str, Value]) -> None:
        """Look for other things while inactive."""
        prepared.look_for(looked_for(values), values["score"])

    def _check_values(self, values: Mapping[str, Value]) -> None:
        check(values, getattr(self, "_prepared", None))
