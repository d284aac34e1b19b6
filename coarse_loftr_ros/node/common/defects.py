"""Exceptions that nobody thought of: reported and counted, and the node lives on."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from coarse_loftr_ros.node.common.statistics import Statistics

__all__ = ["Defects"]


class Defects:
    """The border at which exceptions stop, whatever they are: a robot must keep its cameras.

    Each is counted, which makes ``/diagnostics`` say ERROR, and logged with its traceback. What is
    no ``Exception`` (``SystemExit``) passes.

    Args:
        statistics: where they are counted.
        log: called with a kind and the text; each kind is let through once in a while.
    """

    def __init__(self, statistics: Statistics, log: Callable[[str, str], None]) -> None:
        self._statistics = statistics
        self._log = log

    @contextmanager
    def survived(self, doing: str) -> Iterator[None]:
        """Let nothing out that is raised within.

        Args:
            doing: what is done within, after "while".
        """
        try:
            yield
        except Exception:  # noqa: BLE001 - this is the border
            self.report(doing)

    def report(self, doing: str) -> None:
        """Count and log the exception that is being handled."""
        self._statistics.error(doing)
        self._log(doing, f"error while {doing}, the node goes on: {traceback.format_exc()}")
