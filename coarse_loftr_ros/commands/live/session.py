"""Images matched as they come, and drawn with how fast that goes."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

from coarse_loftr_ros.commands.live.capture import Capture, Captured
from coarse_loftr_ros.matching.overlay import banner_height, draw_overlay
from coarse_loftr_ros.matching.pipeline import Pipeline

__all__ = ["LiveSession"]

_LATEST = 30  # images over which rate and latency are shown
_STRIP = (24, 24, 24)
_TEXT = (230, 230, 230)


class LiveSession:
    """Draws a picture for every image that is matched.

    Args:
        capture: where images come from.
        make_pipeline: called with (width, height) of the first image.
        seconds: to stop after, of the video's own time or of a camera's; ``None`` never.
        note: shown at the end of the strip below each picture.

    Attributes:
        images: so far.
        status: how many results of which status.
        latencies_ms: from the arrival of each image to the request for the next, which comes when
            its picture has been shown or written.
        seconds: that these images took together.
        pipeline: once there is one.
    """

    def __init__(
        self,
        capture: Capture,
        make_pipeline: Callable[[tuple[int, int]], Pipeline],
        seconds: float | None = None,
        note: str = "",
    ) -> None:
        self._capture = capture
        self._make_pipeline = make_pipeline
        self._stop_after = seconds
        self._note = note
        self.images = 0
        self.status: Counter[str] = Counter()
        self.latencies_ms: list[float] = []
        self.seconds = 0.0
        self.pipeline: Pipeline | None = None
        self._ends: deque[float] = deque(maxlen=_LATEST + 1)
        self._last = 0.0
        self._timed = True

    def pictures(self) -> Iterator[NDArray[np.uint8]]:
        """The pictures, uint8 [H, W, 3], blue first, with even sides.

        Raises:
            UserError: when a camera gives no more images.
        """
        first_stamp = None
        for captured in self._capture.images():
            frame = captured.frame
            if self.pipeline is None:
                # Loading the network is no latency of an image.
                self.pipeline = self._make_pipeline((frame.width, frame.height))
                captured = Captured(frame, time.perf_counter())
                self._last, first_stamp = captured.arrived, frame.stamp
            if self._stop_after and frame.stamp - first_stamp >= self._stop_after * 1e9:
                return
            result = self.pipeline.process(frame)
            self.images += 1
            if result is None:
                above = banner_height(frame.width, frame.height)
                picture = cv2.cvtColor(frame.image, cv2.COLOR_GRAY2BGR)
                picture = cv2.copyMakeBorder(
                    picture, above, 0, 0, 0, cv2.BORDER_CONSTANT, value=_STRIP
                )
            else:
                self.status[result.homography.status.name] += 1
                picture = draw_overlay(result)
            picture = np.concatenate([picture, self._strip(frame.width)])
            # Encoders want even sides.
            yield picture[: picture.shape[0] // 2 * 2, : picture.shape[1] // 2 * 2]
            self._end(captured.arrived)

    def set_keyframe(self) -> None:
        """Make the newest image the reference."""
        if self.pipeline is not None:
            self.pipeline.set_keyframe()

    def leave_untimed(self) -> None:
        """The user made the current picture wait: it says nothing about speed."""
        self._timed = False

    def _end(self, arrived: float) -> None:
        now = time.perf_counter()
        if self._timed:
            self.latencies_ms.append(1e3 * (now - arrived))
            self.seconds += now - self._last
        else:
            self._ends.clear()
        self._ends.append(now)
        self._last, self._timed = now, True

    def _strip(self, width: int) -> NDArray[np.uint8]:
        """How fast it goes, below the picture."""
        text = "..."
        if len(self._ends) > 1:
            rate = (len(self._ends) - 1) / (self._ends[-1] - self._ends[0])
            latency = np.median(self.latencies_ms[-_LATEST:])
            text = f"{rate:.1f} fps  latency {latency:.0f} ms"
        text += f"   {self._note}"
        height = max(20, width // 26)
        strip = np.full((height, width, 3), _STRIP, np.uint8)
        font, scale = cv2.FONT_HERSHEY_SIMPLEX, height / 44
        thickness = max(1, round(scale))
        needed = cv2.getTextSize(text, font, scale, thickness)[0][0]
        scale *= min(1.0, (width - height) / needed)
        at = (height // 2, round(height * 0.68))
        cv2.putText(strip, text, at, font, scale, _TEXT, thickness, cv2.LINE_AA)
        return strip
