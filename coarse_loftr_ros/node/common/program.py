"""A node as a process: from its first line until a signal."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

from coarse_loftr_ros.process.stopping import StopSignals

__all__ = ["run_node"]


def run_node(load: Callable[[], type], name: str, args: Sequence[str] | None) -> int:
    """Run a node until a signal.

    To be asked to end is no failure of a node: the exit status is then 0, whichever signal it was.

    Args:
        load: imports the node's class, a ``ManagedNode`` that is made without arguments.
        name: of the node.
        args: of the command line; ``None`` takes those of the process.

    Returns:
        The exit status: 1 when the node cannot start or has died.
    """
    # While modules are loaded there is nothing to close, and few survive to be interrupted.
    signals = StopSignals(status=lambda number: 0, react=lambda number: os._exit(0))

    def program() -> int:
        node_class = load()
        from coarse_loftr_ros.node.common.spinning import spin

        return spin(node_class, name, args, signals)

    return signals.run(program)
