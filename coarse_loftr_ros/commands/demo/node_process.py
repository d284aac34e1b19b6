"""The matcher node as a process of its own."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType

from coarse_loftr_ros.commands.common.errors import UserError

__all__ = ["NodeProcess", "last_lines"]

_GRACE_S = 5.0


class NodeProcess:
    """Runs ``matcher_node`` with this interpreter until the block ends; a context manager.

    Args:
        parameters: of the node, as written on a command line.
        log: file for what it prints.
        environment: of the process.
    """

    def __init__(
        self, parameters: Mapping[str, object], log: Path, environment: Mapping[str, str]
    ) -> None:
        self._command = [
            sys.executable,
            "-m",
            "coarse_loftr_ros.node.matcher.matcher_node",
            "--ros-args",
        ]
        for name, value in parameters.items():
            self._command += ["-p", f"{name}:={value}"]
        self._environment = dict(environment)
        self._log = log

    def __enter__(self) -> NodeProcess:
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                self._command, stdout=log, stderr=subprocess.STDOUT, env=self._environment
            )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        # A stuck ROS process may ignore the polite signals.
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
            if self._process.poll() is None:
                self._process.send_signal(number)
                try:
                    self._process.wait(_GRACE_S)
                except subprocess.TimeoutExpired:
                    continue

    def check(self) -> None:
        """Notice that the node has ended.

        Raises:
            UserError: with the node's last words.
        """
        code = self._process.poll()
        if code is not None:
            words = " | ".join(last_lines(self._log, 3)) or "nothing was said"
            raise UserError(f"the node ended with code {code}: {words} (all of it: {self._log})")


def last_lines(log: Path, count: int) -> Sequence[str]:
    """The end of what a node printed."""
    text = log.read_text(errors="replace")
    return [line.strip() for line in text.splitlines() if line.strip()][-count:]
