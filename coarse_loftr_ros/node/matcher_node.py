"""The lifecycle node ``matcher``: images in, correspondences and homographies out."""

from __future__ import annotations

import functools
import signal
import sys
import traceback
from collections.abc import Callable, Sequence

import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from rcl_interfaces.msg import SetParametersResult
from rclpy.clock import Clock, ClockType
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.logging import get_logger
from rclpy.parameter import Parameter
from rclpy.signals import SignalHandlerOptions

from coarse_loftr_ros.backends.base import BackendError
from coarse_loftr_ros.node.activity import Activity
from coarse_loftr_ros.node.declaration import declare_parameters, unknown_parameters
from coarse_loftr_ros.node.diagnostics import idle_status
from coarse_loftr_ros.node.parameter_table import PARAMETERS, ParameterError
from coarse_loftr_ros.node.parameters import (
    check,
    match_settings,
    pipeline_settings,
    reference_policy,
)
from coarse_loftr_ros.pipeline import Pipeline

__all__ = ["MatcherNode", "main"]

# How long the executor waits before it looks whether a signal came.
_WAIT_S = 0.2

# Python lets another thread in after 5 ms by default. The worker would wait about 1 ms for the
# executor to go back to sleep after each image, and the executor as long for the worker.
_SWITCH_INTERVAL_S = 0.0001


Transition = Callable[["MatcherNode", LifecycleState], TransitionCallbackReturn]


def _told(transition: Transition) -> Transition:
    """Log what a transition raises: rclpy turns it into ERROR without a word."""

    @functools.wraps(transition)
    def told(node: MatcherNode, state: LifecycleState) -> TransitionCallbackReturn:
        try:
            return transition(node, state)
        except Exception:
            node.get_logger().error(traceback.format_exc())
            raise

    return told


class MatcherNode(LifecycleNode):
    """Matches images with a reference and publishes what it finds.

    Configure loads the network, activate opens topics and services; deactivate and cleanup
    release them.

    Raises:
        ParameterError: when a parameter is refused at start.
    """

    def __init__(self) -> None:
        super().__init__("matcher")
        self._values = declare_parameters(self)
        for sentence in unknown_parameters(self):
            self.get_logger().warning(sentence)
        self._pipeline: Pipeline | None = None
        self._activity: Activity | None = None
        self._state = "unconfigured"
        self._diagnostics = self.create_publisher(DiagnosticArray, "/diagnostics", 10)
        # Diagnostics go on while simulated time stands still.
        self.create_timer(
            self._values["diagnostics_period"],
            self._diagnose,
            clock=Clock(clock_type=ClockType.STEADY_TIME),
        )
        self.add_on_set_parameters_callback(self._change)

    @property
    def autostart(self) -> bool:
        """Whether to configure and activate without being told to."""
        return self._values["autostart"]

    @property
    def failed(self) -> bool:
        """Whether the worker has died of a defect."""
        return self._activity is not None and self._activity.failure is not None

    def start(self) -> bool:
        """Configure and activate; whether that worked."""
        success = TransitionCallbackReturn.SUCCESS
        return self.trigger_configure() == success and self.trigger_activate() == success

    def release(self) -> None:
        """Close topics and services and let go of the network."""
        if self._activity is not None:
            self._activity.close()
            self._activity = None
        self._pipeline = None

    # --- lifecycle ------------------------------------------------------------------------------

    @_told
    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Load the network and warm it up."""
        values = self._values
        log = self.get_logger()
        try:
            settings = pipeline_settings(values)
            log.info(
                f"loading model {settings.model.name} ({settings.model.sha256}) with backend "
                f"{settings.backend}: about a second on a CPU"
            )
            self._pipeline = Pipeline(
                settings,
                match_settings(values),
                reference_policy(values),
                (values["expected_width"], values["expected_height"]),
                log.info,
            )
        except (BackendError, ParameterError) as error:
            log.error(f"cannot configure: {error}")
            return TransitionCallbackReturn.FAILURE
        self._state = "inactive"
        return TransitionCallbackReturn.SUCCESS

    @_told
    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Open topics and services."""
        self._activity = Activity(self, self._pipeline, self._values)
        return TransitionCallbackReturn.SUCCESS

    @_told
    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Close topics and services; the network stays loaded."""
        self._activity.close()
        self._activity = None
        self._pipeline.reset()
        return TransitionCallbackReturn.SUCCESS

    @_told
    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Release the network."""
        self.release()
        self._state = "unconfigured"
        return TransitionCallbackReturn.SUCCESS

    @_told
    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Release everything."""
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
        """Check new values together with those that stay, then use them."""
        ours = {row.name: row.value for row in parameters if row.name in PARAMETERS}
        values = {**self._values, **ours}
        try:
            check(values)
        except ParameterError as error:
            return SetParametersResult(successful=False, reason=str(error))
        self._values = values
        if self._activity is not None:
            self._activity.change(values)
        elif self._pipeline is not None:
            self._pipeline.match_settings = match_settings(values)
            self._pipeline.policy = reference_policy(values)
        return SetParametersResult(successful=True)

    def _diagnose(self) -> None:
        message = DiagnosticArray()
        message.header.stamp = self.get_clock().now().to_msg()
        if self._activity is not None:
            message.status = self._activity.diagnose()
        else:
            message.status = [idle_status(self.get_fully_qualified_name(), self._state)]
        self._diagnostics.publish(message)


def main(args: Sequence[str] | None = None) -> int:
    """Run the node until a signal; the exit status is 1 when it cannot start or has died."""
    asked_to_stop: list[int] = []
    sys.setswitchinterval(_SWITCH_INTERVAL_S)
    # rclpy's own handlers would take the context away while the worker is still publishing.
    rclpy.init(args=args, signal_handler_options=SignalHandlerOptions.NO)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, frame: asked_to_stop.append(number))
    try:
        node = MatcherNode()
    except ParameterError as error:
        get_logger("matcher").fatal(str(error))
        rclpy.try_shutdown()
        return 1
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    try:
        if node.autostart and not asked_to_stop and not node.start():
            node.get_logger().fatal("cannot start, see the error above")
            return 1
        while not asked_to_stop and not node.failed:
            executor.spin_once(_WAIT_S)
        return 1 if node.failed else 0
    except ExternalShutdownException:
        return 0
    finally:
        node.release()
        executor.shutdown()
        node.destroy_node()
        rclpy.try_shutdown()


if __name__ == "__main__":
    raise SystemExit(main())
