"""A lifecycle node with checked parameters and diagnostics that can start itself."""

from __future__ import annotations

import functools
import traceback
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Generic, TypeVar

from diagnostic_msgs.msg import DiagnosticArray
from rcl_interfaces.msg import SetParametersResult
from rclpy.clock import Clock, ClockType
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.parameter import Parameter

from coarse_loftr_ros.node.common.activity import Activity
from coarse_loftr_ros.node.common.declaration import declare_parameters, unknown_parameters
from coarse_loftr_ros.node.common.diagnostics import Throttle, idle_status
from coarse_loftr_ros.node.common.parameter import (
    Change,
    ParameterError,
    Table,
    Value,
    check_values,
)
from coarse_loftr_ros.process.allocator import trim
from coarse_loftr_ros.process.stopping import StopSignals

__all__ = ["ManagedNode", "NotReadyError"]

# What leads back to where everything may change.
_BACK_TO_UNCONFIGURED = {
    "inactive": "; clean up first",
    "active": "; deactivate and clean up first",
}

Prepared = TypeVar("Prepared")
Transition = Callable[["ManagedNode", LifecycleState], TransitionCallbackReturn]


class NotReadyError(RuntimeError):
    """A node cannot be configured, in words for the user."""


def _errors_logged(transition: Transition) -> Transition:
    """Log what a transition raises: rclpy turns it into ERROR without a word."""

    @functools.wraps(transition)
    def logged(node: ManagedNode, state: LifecycleState) -> TransitionCallbackReturn:
        try:
            return transition(node, state)
        except Exception:
            node.get_logger().error(traceback.format_exc())
            raise

    return logged


class ManagedNode(LifecycleNode, ABC, Generic[Prepared]):
    """Configure does the slow work, activate opens topics and services; their opposites release.

    A node of this package says what these mean for it: ``prepare``, ``open``, and where needed
    ``change_prepared``, ``pause`` and ``discard``. The table of its parameters has the rows
    ``MANAGED_NODE``.

    Args:
        name: of the node.
        subject: what it does, for the diagnostics of a node that is not active.
        table: of its parameters.
        check: raises ``ParameterError`` when values do not fit together.

    Raises:
        ParameterError: when a parameter is refused at start.
    """

    def __init__(
        self,
        name: str,
        subject: str,
        table: Table,
        check: Callable[[Mapping[str, Value]], None],
    ) -> None:
        super().__init__(name)
        self._subject = subject
        self._table = table
        self._check = check
        self._values = declare_parameters(self, table, check)
        for sentence in unknown_parameters(self, table):
            self.get_logger().warning(sentence)
        self._prepared: Prepared | None = None
        self._active: Activity | None = None
        self._state = "unconfigured"
        self._busy = ""
        self._throttle = Throttle(self._values["diagnostics_period"])
        self._diagnostics = self.create_publisher(DiagnosticArray, "/diagnostics", 10)
        # Diagnostics go on while simulated time stands still.
        self.create_timer(
            self._values["diagnostics_period"],
            self._diagnose,
            clock=Clock(clock_type=ClockType.STEADY_TIME),
        )
        self.add_on_set_parameters_callback(self._change)

    # --- what a node is -------------------------------------------------------------------------

    @abstractmethod
    def prepare(self, values: Mapping[str, Value]) -> Prepared:
        """Do the slow work.

        Raises:
            NotReadyError: when it cannot be done.
            ParameterError: when a value does not fit.
        """

    @abstractmethod
    def open(self, prepared: Prepared, values: Mapping[str, Value]) -> Activity:
        """Open topics and services."""

    def change_prepared(self, prepared: Prepared, values: Mapping[str, Value]) -> None:
        """Use other parameter values while inactive."""

    def pause(self, prepared: Prepared) -> None:
        """Topics and services have been closed; what was prepared stays."""

    def discard(self, prepared: Prepared) -> None:
        """Let go of what was prepared."""

    # --- what is done with it -------------------------------------------------------------------

    @property
    def autostart(self) -> bool:
        """Whether to configure and activate by itself."""
        return self._values["autostart"]

    @property
    def failed(self) -> bool:
        """Whether its work has died of a defect."""
        return self._active is not None and self._active.failure is not None

    @property
    def busy(self) -> str:
        """Slow work that is going on, with its progress; empty when there is none."""
        return self._busy

    def progress(self, task: str, part: float) -> None:
        """Note how far slow work is, and publish it where it keeps the executor from doing so."""
        self._busy = f"{task}: {100 * part:.0f} %" if part < 1 else ""
        if self._active is None and self._throttle.now("progress"):
            self._diagnose()

    def report(self) -> None:
        """Log what a callback of a timer or of parameters has raised: it ends nothing.

        Called while it is being handled.
        """
        if self._active is not None:
            self._active.defects.report("answering the executor")
        elif self._throttle.now("defect"):
            self.get_logger().error(f"error, the node goes on: {traceback.format_exc()}")

    def start(self, signals: StopSignals) -> bool:
        """Configure and activate, unless a signal comes in between; whether that was done."""
        return all(
            not signals.asked and transition() == TransitionCallbackReturn.SUCCESS
            for transition in (self.trigger_configure, self.trigger_activate)
        )

    def release(self) -> None:
        """Close topics and services and let go of what was prepared."""
        if self._active is not None:
            self._active.close()
            self._active = None
        if self._prepared is not None:
            self.discard(self._prepared)
            self._prepared = None
            trim()

    # --- lifecycle ------------------------------------------------------------------------------

    @_errors_logged
    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Do the slow work."""
        try:
            self._check(self._values)
            self._prepared = self.prepare(self._values)
        except (NotReadyError, ParameterError) as error:
            self.get_logger().error(f"cannot configure: {error}")
            return TransitionCallbackReturn.FAILURE
        self._state = "inactive"
        return TransitionCallbackReturn.SUCCESS

    @_errors_logged
    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Open topics and services."""
        self._active = self.open(self._prepared, self._values)
        self._state = "active"
        return TransitionCallbackReturn.SUCCESS

    @_errors_logged
    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Close topics and services; what was prepared stays."""
        self._active.close()
        self._active = None
        self.pause(self._prepared)
        self._state = "inactive"
        return TransitionCallbackReturn.SUCCESS

    @_errors_logged
    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Release everything."""
        self.release()
        self._state = "unconfigured"
        return TransitionCallbackReturn.SUCCESS

    @_errors_logged
    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Release everything for good."""
        self.release()
        self._state = "finalized"
        return TransitionCallbackReturn.SUCCESS

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Release everything; the node can be configured again."""
        self.get_logger().error(f"a transition from '{state.label}' failed; all is released")
        self.release()
        self._state = "unconfigured"
        return TransitionCallbackReturn.SUCCESS

    # --- parameters and diagnostics -------------------------------------------------------------

    def _change(self, parameters: Sequence[Parameter]) -> SetParametersResult:
        """Check new values together with those that stay, then use them.

        While the node is unconfigured they come one by one and need not fit together yet: configure
        sees to that.
        """
        ours = {row.name: row.value for row in parameters if row.name in self._table}
        values = {**self._values, **ours}
        try:
            if self._state == "unconfigured":
                check_values(self._table, ours)
            else:
                self._refuse_what_was_read(ours)
                self._check(values)
        except ParameterError as error:
            return SetParametersResult(successful=False, reason=str(error))
        self._values = values
        if self._active is not None:
            self._active.change(values)
        elif self._prepared is not None:
            self.change_prepared(self._prepared, values)
        return SetParametersResult(successful=True)

    def _refuse_what_was_read(self, values: Mapping[str, Value]) -> None:
        """Refuse other values of what configure has read and will not read again."""
        for name, value in values.items():
            row = self._table[name]
            if row.change is Change.UNCONFIGURED and value != self._values[name]:
                raise ParameterError(
                    f"parameter '{name}' may change {row.change.value}, and it is {self._state}"
                    + _BACK_TO_UNCONFIGURED.get(self._state, "")
                )

    def _diagnose(self) -> None:
        message = DiagnosticArray()
        message.header.stamp = self.get_clock().now().to_msg()
        if self._active is not None:
            message.status = self._active.diagnose()
        else:
            name = self.get_fully_qualified_name()
            message.status = [idle_status(name, self._subject, self._state, self._busy)]
        self._diagnostics.publish(message)
