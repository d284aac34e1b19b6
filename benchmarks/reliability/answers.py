"""What nodes answer and say about themselves: finite numbers, and counts over several rounds."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray

from coarse_loftr_msgs.msg import HomographyStamped

__all__ = ["Ledger", "not_finite", "tracebacks"]


def not_finite(message: object) -> list[str]:
    """Names of the fields of a message, at any depth, that hold a number which is not finite.

    A homography's error is infinite while it is LOST: so its message says.
    """
    lost = isinstance(message, HomographyStamped) and message.status == HomographyStamped.LOST
    return [name for name in _not_finite(message, "") if not (lost and name == "rms_px")]


def _not_finite(value: object, name: str) -> Iterator[str]:
    if hasattr(value, "get_fields_and_field_types"):
        for field in value.get_fields_and_field_types():
            yield from _not_finite(getattr(value, field), f"{name}.{field}" if name else field)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _not_finite(item, f"{name}[{index}]")
    elif isinstance(value, float):
        if not np.isfinite(value):
            yield name
    elif not isinstance(value, (str, bytes, int)) and not np.isfinite(np.asarray(value)).all():
        yield name


def tracebacks(output: str) -> list[str]:
    """Where and why each traceback in what a process printed was raised, without repetitions."""
    errors = []
    for text in output.split("Traceback (most recent call last):\n")[1:]:
        frames = re.findall(
            r'^ +File "(?:[^"]*/)?([^/"]+)", line (\d+), in (\S+)', text, re.MULTILINE
        )
        outermost = (line for line in text.splitlines() if line and not line.startswith(" "))
        error = next(outermost, "")
        errors.append(" ".join([*(f"{f}:{n} {name}:" for f, n, name in frames[-1:]), error]))
    return [*dict.fromkeys(errors)]


class Ledger:
    """Sums the counts in a node's diagnostics, which begin anew each time it is activated.

    Args:
        node: full name of the node.
    """

    def __init__(self, node: str) -> None:
        self._node = node
        self._now: dict[str, int] = {}
        self._before: Counter[str] = Counter()

    def read(self, message: DiagnosticArray) -> None:
        """Take the counts of a message."""
        for status in message.status:
            if not status.name.startswith(self._node + ": "):
                continue
            for pair in status.values:
                if pair.value.isdecimal():
                    self._read(pair.key, int(pair.value))

    def _read(self, key: str, value: int) -> None:
        last = self._now.get(key, 0)
        if value < last:
            self._before[key] += last
        self._now[key] = value

    def __getitem__(self, key: str) -> int:
        """A count over all rounds; 0 when nothing was said of it."""
        return self._before[key] + self._now.get(key, 0)

    def beginning_with(self, prefix: str) -> Mapping[str, int]:
        """Counts by the rest of their names."""
        keys = sorted(key for key in {*self._now, *self._before} if key.startswith(prefix))
        return {key.removeprefix(prefix): self[key] for key in keys if self[key]}
