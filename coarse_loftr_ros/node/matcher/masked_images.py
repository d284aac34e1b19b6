"""Images that wait for their masks in an active matcher."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace

from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from sensor_msgs.msg import Image

from coarse_loftr_ros.node.common.conversion import stamp_ns
from coarse_loftr_ros.node.common.parameter import Value
from coarse_loftr_ros.node.common.statistics import Statistics
from coarse_loftr_ros.node.matcher.diagnostics import mask_problems
from coarse_loftr_ros.node.matcher.inputs import Images
from coarse_loftr_ros.node.matcher.mask_pairing import MaskPairing

__all__ = ["MaskedImages"]

# How exactly the wait is kept, while something waits.
_TICK_S = 0.005


class MaskedImages:
    """Hands images on when their masks have come, or have been waited for long enough.

    Its methods are called on the executor. Of a stereo pair the mask is the left image's.

    Args:
        node: that has the timer.
        values: of all parameters.
        statistics: where images without their mask, late masks and stray ones are counted.
        hand_on: called with each image, or pair, that needs to wait no more.
        why_silent: says in words why no mask may be coming.
    """

    def __init__(
        self,
        node: Node,
        values: Mapping[str, Value],
        statistics: Statistics,
        hand_on: Callable[[Images], None],
        why_silent: Callable[[], str],
    ) -> None:
        self._node = node
        self._statistics = statistics
        self._hand_on = hand_on
        self._why_silent = why_silent
        self._pairing = MaskPairing[Images, Image](
            values["mask_wait"], values["image_timeout"], values["queue_depth"]
        )
        # Steady: simulated time may stand still, and images must not.
        clock = Clock(clock_type=ClockType.STEADY_TIME)
        self._timer = node.create_timer(_TICK_S, self._tick, clock=clock)
        self._timer.cancel()

    @property
    def waiting(self) -> int:
        """Images, or pairs, that wait for their mask."""
        return self._pairing.waiting

    def close(self) -> None:
        """Let go of what waits."""
        self._node.destroy_timer(self._timer)
        # The pairing keeps images, and the callbacks their owner.
        vars(self).clear()

    def change(self, values: Mapping[str, Value]) -> None:
        """Use other parameter values from the next image on."""
        self._pairing.wait_s = values["mask_wait"]
        self._pairing.silence_s = values["image_timeout"]

    def add(self, images: Images) -> None:
        """An image, or a pair, came."""
        self._go_on(self._pairing.add(images, images[0].stamp, time.monotonic()))
        if self._pairing.waiting and self._timer.is_canceled():
            self._timer.reset()

    def add_mask(self, mask: Image) -> None:
        """A mask came."""
        stamp = stamp_ns(mask.header.stamp)
        self._go_on(self._pairing.add_mask(mask, stamp, time.monotonic()))

    def problems(self, new: Mapping[str, int]) -> list[str]:
        """What an operator should know, from the counts since the last report."""
        pairing = self._pairing
        silence_s = pairing.silence(time.monotonic())
        silent = ""
        if silence_s > pairing.silence_s:
            silent = f"{silence_s:.1f} s: {self._why_silent()}"
        return mask_problems(new, pairing.delay_s, pairing.wait_s, silent)

    def _tick(self) -> None:
        self._go_on(self._pairing.due(time.monotonic()))
        if not self._pairing.waiting:
            self._timer.cancel()

    def _go_on(self, released: list[tuple[Images, Image | None]]) -> None:
        pairing = self._pairing
        self._statistics.count("without their mask", pairing.missing)
        self._statistics.count("late masks", pairing.late)
        self._statistics.count("stray masks", pairing.stray)
        pairing.missing = pairing.late = pairing.stray = 0
        for (first, *others), mask in released:
            self._hand_on((replace(first, mask=mask), *others))
