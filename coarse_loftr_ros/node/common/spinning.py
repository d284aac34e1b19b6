"""The executor of a managed node, until a signal."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence

import rclpy
from rclpy.exceptions import NameValidationException
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.logging import get_logger
from rclpy.signals import SignalHandlerOptions

from coarse_loftr_ros.node.common.managed_node import ManagedNode
from coarse_loftr_ros.node.common.parameter import ParameterError
from coarse_loftr_ros.process.allocator import limit_arenas
from coarse_loftr_ros.process.stopping import StopSignals

__all__ = ["spin"]

# How long the executor waits before it looks whether a signal came.
_WAIT_S = 0.2

# Python lets another thread in after 5 ms by default. The worker would wait about 1 ms for the
# executor to go back to sleep after each image, and the executor as long for the worker.
_SWITCH_INTERVAL_S = 0.0001


def spin(
    make: Callable[[], ManagedNode], name: str, args: Sequence[str] | None, signals: StopSignals
) -> int:
    """Run a node until a signal, which from here on is noted and interrupts nothing.

    Args:
        make: makes the node.
        name: of the node, for what is logged before there is one.
        args: of the command line.
        signals: that ask the process to end.

    Returns:
        The exit status: 1 when the node cannot start or has died.
    """
    signals.react = None
    limit_arenas()
    sys.setswitchinterval(_SWITCH_INTERVAL_S)
    try:
        # rclpy's own handlers would take the context away while a worker is still publishing.
        rclpy.init(args=args, signal_handler_options=SignalHandlerOptions.NO)
        node = make()
    except (ParameterError, NameValidationException, RuntimeError) as error:
        # A RuntimeError is the middleware's: an argument or a file that it cannot read.
        get_logger(name).fatal(str(error))
        rclpy.try_shutdown()
        return 1
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    try:
        if node.autostart and not node.start(signals) and not signals.asked:
            node.get_logger().fatal("cannot start, see the error above")
            return 1
        while not signals.asked and not node.failed:
            try:
                executor.spin_once(_WAIT_S)
            except ExternalShutdownException:
                raise
            except Exception:  # noqa: BLE001 - the border of a node that must live
                node.report()
        return 1 if node.failed else 0
    except ExternalShutdownException:
        return 0
    finally:
        node.release()
        executor.shutdown()
        node.destroy_node()
        rclpy.try_shutdown()
