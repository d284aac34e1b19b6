"""Everything that exists only while the matcher is active."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Future

from diagnostic_msgs.msg import DiagnosticStatus
from rclpy.node import Node
from sensor_msgs.msg import Image

from coarse_loftr_ros.matching.pipeline import Pipeline
from coarse_loftr_ros.matching.result import Homography
from coarse_loftr_ros.matching.stereo_pairing import StereoPairing
from coarse_loftr_ros.node.common.activity import Activity
from coarse_loftr_ros.node.common.commands import CommandError, Commands
from coarse_loftr_ros.node.common.input_diagnostics import Expectations
from coarse_loftr_ros.node.common.parameter import Value
from coarse_loftr_ros.node.common.statistics import Snapshot
from coarse_loftr_ros.node.matcher.diagnostics import matching_status
from coarse_loftr_ros.node.matcher.inputs import Images, Inputs, InputSettings, ReceivedImage
from coarse_loftr_ros.node.matcher.masked_images import MaskedImages
from coarse_loftr_ros.node.matcher.matching import Matching
from coarse_loftr_ros.node.matcher.outputs import MatcherOutputs
from coarse_loftr_ros.node.matcher.parameters import match_settings, reference_policy
from coarse_loftr_ros.node.matcher.worker import Worker

__all__ = ["MatcherActivity"]

# No image takes so long that nothing else is wrong.
_LONG_S = 1.0


class MatcherActivity(Activity[Homography]):
    """Topics, services and the worker between activate and deactivate.

    Its methods are called on the executor; matching and publishing happen on the worker.

    Args:
        node: that owns them.
        pipeline: used by the worker alone from now on.
        values: of all parameters.
        busy: names slow work that keeps images waiting; empty when there is none.
    """

    def __init__(
        self,
        node: Node,
        pipeline: Pipeline,
        values: Mapping[str, Value],
        busy: Callable[[], str],
    ) -> None:
        stereo = values["mode"] == "stereo"
        self._sides = ("left", "right") if stereo else ("",)
        super().__init__(node, values, self._sides)
        self._pipeline = pipeline
        self._busy = busy
        self._pairing = None
        if stereo:
            # One more than may wait: the one that comes.
            queue = values["queue_depth"] + 1
            self._pairing = StereoPairing[ReceivedImage](self._tolerance_ns, queue)
        self._submitted = False
        self._outputs = MatcherOutputs(
            node, stereo, values["overlay.max_lines"], values["overlay.max_rate"]
        )
        self._matching = Matching(
            pipeline,
            self._outputs,
            self._statistics,
            self.defects,
            compressed=values["image_transport"] == "compressed",
            rectify=values["rectify"],
            depth16=values["depth16_scaling"],
            clock_ns=lambda: node.get_clock().now().nanoseconds,
            warn=self._warn,
            inform=self._inform,
        )
        self._worker = Worker(
            self._matching.handle,
            values["queue_depth"] if values["freshness"] == "all" else 1,
            on_skip=lambda skipped: self._statistics.lost("skipped", len(skipped)),
            on_error=lambda: self.defects.report("handling an image"),
            on_failure=self._failed,
        )
        self._commands = Commands(node, self.defects)
        self._commands.serve("~/reset", self._matching.reset, self._ask_after_all)
        self._commands.serve("~/set_keyframe", self._set_keyframe, self._ask_about_newest)
        self._inputs = Inputs(
            node,
            InputSettings(
                stereo=stereo,
                compressed=values["image_transport"] == "compressed",
                reliable=values["image_reliability"] == "reliable",
                depth=values["queue_depth"],
                use_mask=values["use_mask"],
                rectify=values["rectify"],
            ),
            self._take,
            self._take_mask,
            self._lost,
            self._reject,
            self._inform,
        )
        self._masked = None
        if values["use_mask"]:
            self._masked = MaskedImages(
                node, values, self._statistics, self._submit, self._inputs.why_no_mask
            )
        pairing = "stereo pairs" if stereo else f"{values['pairing']} images"
        self._log.info(f"matching {pairing} of {', '.join(self._inputs.topics)}")

    def close(self) -> None:
        """Close everything and wait for the image in work."""
        self._inputs.close()
        if self._masked is not None:
            self._masked.close()
        self._commands.close()
        self._worker.stop()
        self._outputs.close()
        super().close()

    def change(self, values: Mapping[str, Value]) -> None:
        """Use other parameter values, already checked, from the next image on."""
        changed = {name for name, value in values.items() if value != self._values[name]}
        super().change(values)
        self._pipeline.match_settings = match_settings(values)
        if any(name == "pairing" or name.startswith("keyframe.") for name in changed):
            self._pipeline.policy = reference_policy(values)
        if self._pairing is not None:
            self._pairing.tolerance_ns = self._tolerance_ns
        if self._masked is not None:
            self._masked.change(values)
        self._matching.depth16 = values["depth16_scaling"]
        self._outputs.overlay_lines = values["overlay.max_lines"]
        self._outputs.overlay_rate = values["overlay.max_rate"]

    def expectations(self) -> Expectations:
        """Of the images."""
        gap = None if self._pairing is None else self._pairing.gap_ns
        return Expectations(
            "image",
            self._values["image_timeout"],
            lambda names: self._inputs.why_silent([self._sides.index(name) for name in names]),
            None if gap is None else gap / 1e9,
            self._values["stereo.tolerance"],
            self._values["freshness"] == "all",
            self._mask_problems,
        )

    def result_status(
        self,
        name: str,
        snapshot: Snapshot[Homography],
        since: Snapshot[Homography] | None,
        expected: Expectations,
    ) -> DiagnosticStatus:
        """The matching."""
        backend, model = self._pipeline.backend, self._pipeline.settings.model
        return matching_status(
            name,
            snapshot,
            since,
            expected,
            backend.description,
            f"{model.name} ({model.sha256})",
            backend.failure,
            self._busy(),
            self._doing(),
            self._matching.moving,
        )

    def _doing(self) -> str:
        """What images that came wait for, should there be no results."""
        words = []
        if self._worker.busy_s > _LONG_S:
            words.append(f"an image has been in work for {self._worker.busy_s:.1f} s")
        if self._pairing is not None:
            for number, side in zip(self._pairing.waiting, self._sides, strict=True):
                if number:
                    words.append(f"{number} {side} waiting for a partner")
        if self._masked is not None and self._masked.waiting:
            words.append(f"{self._masked.waiting} waiting for a mask")
        return ", ".join(words)

    @property
    def _tolerance_ns(self) -> int:
        return round(self._values["stereo.tolerance"] * 1e9)

    def _take(self, image: ReceivedImage) -> None:
        """An image came."""
        with self.defects.survived("taking an image"):
            self._statistics.received(self._sides[image.side])
            images = (image,) if self._pairing is None else self._paired(image)
            if images is not None:
                (self._submit if self._masked is None else self._masked.add)(images)

    def _take_mask(self, mask: Image) -> None:
        with self.defects.survived("taking a mask"):
            self._masked.add_mask(mask)

    def _submit(self, images: Images) -> None:
        self._submitted = True
        self._worker.submit(images)

    def _mask_problems(self, new: Mapping[str, int]) -> list[str]:
        return [] if self._masked is None else self._masked.problems(new)

    def _paired(self, image: ReceivedImage) -> tuple[ReceivedImage, ReceivedImage] | None:
        """The pair that an image completes; what is left without a partner is counted."""
        pairing = self._pairing
        before = pairing.unpaired_left, pairing.unpaired_right
        pair = (pairing.add_right if image.side else pairing.add_left)(image)
        for side, old, new in zip(
            self._sides, before, (pairing.unpaired_left, pairing.unpaired_right), strict=True
        ):
            self._statistics.lost(f"unpaired {side}", new - old)
        return pair

    def _lost(self, number: int) -> None:
        """The middleware lost images."""
        self._statistics.lost("lost by the middleware", number)
        self._warn(
            "lost",
            "the middleware loses images: with Fast DDS they may be too large for its shared "
            "memory, see config/fastdds_large_images.xml",
        )

    def _ask_after_all(self, work: Callable[[], str]) -> Future[str]:
        """Let the worker do something between the images that have come and those to come."""
        return self._worker.command(work, follows=False)

    def _ask_about_newest(self, work: Callable[[], str]) -> Future[str]:
        """Let the worker do something with the newest image, or the newest pair.

        Raises:
            CommandError: when none has come.
        """
        if not self._submitted:
            kind = "image" if self._pairing is None else "pair of images"
            raise CommandError(f"no {kind} has been received yet")
        return self._worker.command(work, follows=True)

    def _set_keyframe(self) -> str:
        answer = self._matching.set_keyframe()
        if self._values["pairing"] == "consecutive":
            answer += "; with pairing consecutive of the next one only"
        return answer

    def _failed(self, failure: BaseException) -> None:
        self.failure = failure
