"""What exists only while a node is active: what every node's has."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Generic

from diagnostic_msgs.msg import DiagnosticStatus
from rclpy.node import Node

from coarse_loftr_ros.node.common.defects import Defects
from coarse_loftr_ros.node.common.diagnostics import Throttle, worth_logging
from coarse_loftr_ros.node.common.input_diagnostics import Expectations, input_status
from coarse_loftr_ros.node.common.parameter import Value
from coarse_loftr_ros.node.common.statistics import Result, Snapshot, Statistics

__all__ = ["Activity"]


class Activity(ABC, Generic[Result]):
    """Topics and services of a node between activate and deactivate; made by the former.

    A node says what these are, and what /diagnostics shows of them: ``expectations`` and
    ``result_status``; ``change`` and ``close`` extend those of this class.

    Attributes:
        failure: the defect that ended the work, if one did.
        defects: where those that the work survives are reported.

    Args:
        node: that owns topics and services.
        values: of all parameters.
        inputs: names of what comes in; the only one of a node may be nameless.
    """

    def __init__(self, node: Node, values: Mapping[str, Value], inputs: Sequence[str]) -> None:
        self.failure: BaseException | None = None
        self._node = node
        self._values = dict(values)
        self._log = node.get_logger()
        self._throttle = Throttle()
        self._statistics = Statistics[Result](inputs)
        self.defects = Defects(self._statistics, self._log_defect)
        self._reported: Snapshot[Result] | None = None

    @abstractmethod
    def expectations(self) -> Expectations:
        """What the inputs should be like, now."""

    @abstractmethod
    def result_status(
        self,
        name: str,
        snapshot: Snapshot[Result],
        since: Snapshot[Result] | None,
        expected: Expectations,
    ) -> DiagnosticStatus:
        """What goes out.

        Args:
            name: full name of the node.
            snapshot: the numbers now.
            since: the numbers at the previous message.
            expected: of the inputs.
        """

    def change(self, values: Mapping[str, Value]) -> None:
        """Use other parameter values, already checked, from the next message on."""
        self._values = dict(values)

    def close(self) -> None:
        """Close everything; the object is used no more."""
        # Its parts hold its methods: without this, they and their images would stay until Python's
        # collector comes by.
        vars(self).clear()

    def diagnose(self) -> list[DiagnosticStatus]:
        """The state for /diagnostics."""
        name = self._node.get_fully_qualified_name()
        snapshot, before = self._statistics.snapshot(), self._reported
        self._reported = snapshot
        expected = self.expectations()
        statuses = [
            input_status(name, snapshot, before, expected),
            self.result_status(name, snapshot, before, expected),
        ]
        for subject, sentence in worth_logging(statuses):
            self._warn(subject, sentence)
        return statuses

    def _reject(self, cause: str, sentence: str) -> None:
        """Count a message that is not used, and log why."""
        self._statistics.rejected(cause)
        self._warn(cause + " left out", sentence)

    def _warn(self, kind: str, sentence: str) -> None:
        """Log a warning, each kind once in a while."""
        if self._throttle.now(kind):
            self._log.warning(sentence)

    def _inform(self, kind: str, sentence: str) -> None:
        """Log something noteworthy, each kind once in a while."""
        if self._throttle.now("info " + kind):
            self._log.info(sentence)

    def _log_defect(self, kind: str, text: str) -> None:
        if self._throttle.now("defect " + kind):
            self._log.error(text)
