"""Everything of the mask node that exists only while it is active."""

from __future__ import annotations

from collections.abc import Mapping
from time import perf_counter

from diagnostic_msgs.msg import DiagnosticStatus
from rclpy.node import Node
from sensor_msgs.msg import CompressedImage, Image

from coarse_loftr_ros.detection.detector import Detector
from coarse_loftr_ros.node.common.activity import Activity
from coarse_loftr_ros.node.common.image_topic import ImageTopic
from coarse_loftr_ros.node.common.input_diagnostics import Expectations
from coarse_loftr_ros.node.common.parameter import Value
from coarse_loftr_ros.node.common.statistics import Snapshot
from coarse_loftr_ros.node.mask.diagnostics import masks_status
from coarse_loftr_ros.node.mask.masking import MadeMask, Masking, WaitingImage
from coarse_loftr_ros.node.mask.parameters import looked_for

__all__ = ["MaskActivity"]


class MaskActivity(Activity[MadeMask]):
    """Topics and the detector's thread between activate and deactivate.

    Args:
        node: that owns them.
        detector: used by the thread alone from now on, but for what it looks for.
        values: of all parameters.
    """

    def __init__(self, node: Node, detector: Detector, values: Mapping[str, Value]) -> None:
        super().__init__(node, values, ("",))
        self._detector = detector
        self._publisher = node.create_publisher(Image, "mask", values["queue_depth"])
        self._masking = Masking(
            detector,
            self._publisher,
            self._statistics,
            self.defects,
            values["queue_depth"],
            values["dilation"],
            values["rate"],
            self._reject,
            self._failed,
        )
        self._images = ImageTopic(
            node,
            node.resolve_topic_name("image"),
            compressed=values["image_transport"] == "compressed",
            reliable=values["image_reliability"] == "reliable",
            depth=values["queue_depth"],
            take=self._take,
            on_lost=lambda number: self._statistics.lost("lost by the middleware", number),
        )
        self._log.info(f"masking images of {self._images.name}")

    def close(self) -> None:
        """Close everything and wait for the images in work."""
        self._images.close()
        self._masking.stop()
        self._node.destroy_publisher(self._publisher)
        super().close()

    def change(self, values: Mapping[str, Value]) -> None:
        """Use other parameter values, already checked, from the next image on."""
        super().change(values)
        self._detector.look_for(looked_for(values), values["score"])
        self._masking.dilation = values["dilation"]
        self._masking.rate = values["rate"]
        self._masking.forget()

    def expectations(self) -> Expectations:
        """Of the images."""
        return Expectations(
            "image",
            self._values["image_timeout"],
            lambda names: self._images.why_silent() or f"{self._images.name} is silent",
            lossless=True,
        )

    def result_status(
        self,
        name: str,
        snapshot: Snapshot[MadeMask],
        since: Snapshot[MadeMask] | None,
        expected: Expectations,
    ) -> DiagnosticStatus:
        """The masks."""
        model = self._detector.description.model.name
        return masks_status(name, snapshot, since, expected, model)

    def _take(self, message: Image | CompressedImage) -> None:
        with self.defects.survived("taking an image"):
            self._statistics.received()
            self._masking.submit(WaitingImage(message, perf_counter()))

    def _failed(self, failure: BaseException) -> None:
        self.failure = failure
