"""Everything that exists only while the node is active."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from diagnostic_msgs.msg import DiagnosticStatus
from rclpy.node import Node
from std_srvs.srv import Trigger

from coarse_loftr_ros.node.diagnostics import Occasionally, input_status
from coarse_loftr_ros.node.inputs import Arrival, Inputs, InputSettings
from coarse_loftr_ros.node.matching import Matching
from coarse_loftr_ros.node.matching_diagnostics import matching_status
from coarse_loftr_ros.node.outputs import Outputs
from coarse_loftr_ros.node.parameter import Value
from coarse_loftr_ros.node.parameters import match_settings, reference_policy
from coarse_loftr_ros.node.statistics import Snapshot, Statistics
from coarse_loftr_ros.node.worker import Worker
from coarse_loftr_ros.pairing import StereoPairing
from coarse_loftr_ros.pipeline import Pipeline
from coarse_loftr_ros.result import Homography

__all__ = ["Activity"]


class Activity:
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
        self.failure: BaseException | None = None
        self._node = node
        self._pipeline = pipeline
        self._busy = busy
        self._values = dict(values)
        self._log = node.get_logger()
        self._occasionally = Occasionally()
        self._statistics = Statistics[Homography]()
        self._reported: Snapshot[Homography] | None = None
        self._newest: Arrival | None = None
        self._last_stamp: dict[int, int] = {}
        stereo = values["mode"] == "stereo"
        self._pairing = StereoPairing[Arrival](self._tolerance_ns) if stereo else None
        self._outputs = Outputs(
            node, stereo, values["overlay.max_lines"], values["overlay.max_rate"]
        )
        self._matching = Matching(
            pipeline,
            self._outputs,
            self._statistics,
            compressed=values["image_transport"] == "compressed",
            rectify=values["rectify"],
            depth16=values["depth16_scaling"],
            clock_ns=lambda: node.get_clock().now().nanoseconds,
            warn=self._warn,
            inform=self._inform,
        )
        self._worker: Worker[tuple[Arrival, ...]] = Worker(
            self._matching.handle,
            values["queue_depth"] if values["freshness"] == "all" else 1,
            on_skip=lambda skipped: self._statistics.count("skipped", len(skipped)),
            on_failure=self._failed,
        )
        self._services = [
            node.create_service(Trigger, "~/reset", self._reset),
            node.create_service(Trigger, "~/set_keyframe", self._set_keyframe),
        ]
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
            self._lost,
            self._reject,
            self._inform,
        )
        pairing = "stereo pairs" if stereo else f"{values['pairing']} images"
        self._log.info(f"matching {pairing} of {', '.join(self._inputs.topics)}")

    def close(self) -> None:
        """Close everything and wait for the image in work."""
        self._inputs.close()
        for service in self._services:
            self._node.destroy_service(service)
        self._worker.stop()
        self._outputs.close()
        # Its parts hold its methods: without this, they and their images would stay until Python's
        # collector comes by.
        vars(self).clear()

    def change(self, values: Mapping[str, Value]) -> None:
        """Use other parameter values, already checked, from the next image on."""
        changed = {name for name, value in values.items() if value != self._values[name]}
        self._values = dict(values)
        self._pipeline.match_settings = match_settings(values)
        if any(name == "pairing" or name.startswith("keyframe.") for name in changed):
            self._pipeline.policy = reference_policy(values)
        if self._pairing is not None:
            self._pairing.tolerance_ns = self._tolerance_ns
        self._matching.depth16 = values["depth16_scaling"]
        self._outputs.overlay_lines = values["overlay.max_lines"]
        self._outputs.overlay_rate = values["overlay.max_rate"]

    def diagnose(self) -> list[DiagnosticStatus]:
        """The state for /diagnostics."""
        name = self._node.get_fully_qualified_name()
        snapshot, before = self._statistics.snapshot(), self._reported
        self._reported = snapshot
        timeout = self._values["image_timeout"]
        why = ""
        if snapshot.silence_s > timeout:
            why = self._inputs.why_silent()
            self._warn("silence", f"no image for {snapshot.silence_s:.1f} s: {why}")
        unpaired = None
        if self._pairing is not None:
            unpaired = self._pairing.unpaired_left, self._pairing.unpaired_right
        model = self._pipeline.settings.model
        return [
            input_status(name, "image", snapshot, before, timeout, why, unpaired),
            matching_status(
                name,
                snapshot,
                before,
                self._pipeline.backend.description,
                f"{model.name} ({model.sha256})",
                self._pipeline.backend.failure,
                self._busy(),
            ),
        ]

    @property
    def _tolerance_ns(self) -> int:
        return round(self._values["stereo.tolerance"] * 1e9)

    def _take(self, arrival: Arrival) -> None:
        """An image came."""
        self._statistics.received()
        self._newest = arrival
        if self._pairing is None:
            self._worker.submit((arrival,))
            return
        last = self._last_stamp.get(arrival.side)
        if last is not None and arrival.stamp < last:
            self._pairing.clear()
            self._statistics.reset("time")
            back = (last - arrival.stamp) / 1e9
            self._inform("time", f"time went back by {back:.3f} s: waiting images are forgotten")
        self._last_stamp[arrival.side] = arrival.stamp
        add = self._pairing.add_right if arrival.side else self._pairing.add_left
        pair = add(arrival)
        if pair is not None:
            self._worker.submit(pair)

    def _lost(self, number: int) -> None:
        """The middleware lost images."""
        self._statistics.count("lost by the middleware", number)
        self._warn(
            "lost",
            "the middleware loses images: with Fast DDS they may be too large for its shared "
            "memory, see config/fastdds_large_images.xml",
        )

    def _reset(self, request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        if self._pairing is not None:
            self._pairing.clear()
        self._worker.command(self._matching.reset)
        self._statistics.reset("asked")
        response.success = True
        response.message = "the next image is the new reference"
        return response

    def _set_keyframe(
        self, request: Trigger.Request, response: Trigger.Response
    ) -> Trigger.Response:
        if self._newest is None:
            response.message = "no image has been received yet"
        else:
            self._worker.command(self._matching.set_keyframe)
            response.success = True
            response.message = "the newest image is the reference of those to come"
            if self._values["pairing"] == "consecutive":
                response.message += "; with pairing consecutive of the next one only"
        return response

    def _failed(self, failure: BaseException) -> None:
        self.failure = failure

    def _reject(self, cause: str, sentence: str) -> None:
        self._statistics.rejected(cause)
        self._warn(cause + " left out", sentence)

    def _warn(self, kind: str, sentence: str) -> None:
        if self._occasionally.now(kind):
            self._log.warning(sentence)

    def _inform(self, kind: str, sentence: str) -> None:
        if self._occasionally.now("reset " + kind):
            self._log.info(sentence)
