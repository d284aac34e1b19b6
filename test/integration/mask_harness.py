"""A mask node as a process, and a client that sends it images."""

from __future__ import annotations

import numpy as np
from ros_harness import RELIABLE, Client, NodeProcess
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from coarse_loftr_ros.images.decoding import decode_image
from coarse_loftr_ros.node.common.conversion import image_message, time_message


class MaskProcess(NodeProcess):
    """A ``mask_node`` process."""

    name = "mask"
    module = "coarse_loftr_ros.node.mask.mask_node"


class MaskClient(Client):
    """Publishes images to a mask node and collects its masks."""

    def __init__(self, process: MaskProcess) -> None:
        super().__init__(process)
        self.images = self.node.create_publisher(Image, "image", RELIABLE)
        self.masks: list[Image] = []
        self.collect(Image, "mask", self.masks)
        self.stamp = 10**9

    def connect(self) -> None:
        self.until(self.images.get_subscription_count, "the node's topic")
        self.settle()

    def send(self, image: np.ndarray) -> Image:
        self.stamp += 33_000_000
        message = image_message(image, Header(stamp=time_message(self.stamp), frame_id="camera"))
        self.images.publish(message)
        return message

    def left_out(self, image: Image) -> list[int]:
        """Left, top, right and bottom of what the mask of an image leaves out; empty is nothing."""

        def found() -> list[Image]:
            return [mask for mask in self.masks if mask.header == image.header]

        self.until(found, "the mask")
        (mask,) = found()
        assert (mask.encoding, mask.width, mask.height) == ("mono8", image.width, image.height)
        rows, columns = np.nonzero(decode_image(mask) == 0)
        if not rows.size:
            return []
        return [int(edge) for edge in (columns.min(), rows.min(), columns.max(), rows.max())]
