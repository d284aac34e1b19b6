"""What soak.py and fuzz.py found, as a table, in a document and as an exit status."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from reliability.vital_signs import Trend

__all__ = ["Row", "markdown", "print_report", "write_into"]

_COLUMNS = (
    "node", "sent", "good: answered of sent", "longest wait, s", "rejected by reason",
    "memory, MiB", "slope, MiB / 10 min", "peak, MiB", "threads", "descriptors", "life after",
)  # fmt: skip


@dataclass
class Row:
    """One node.

    Attributes:
        name: of the node, or of what it was sent.
        sent: messages.
        good: good images that were answered, and that were sent.
        longest_wait_s: until a good image was answered.
        rejected: messages by reason, as its diagnostics count them.
        trend: of the process after its warm-up.
        alive: answered a good image at the end.
        faults: in words; none when all is well.
    """

    name: str
    sent: int
    good: tuple[int, int]
    longest_wait_s: float
    rejected: Mapping[str, int]
    trend: Trend
    alive: bool
    faults: list[str] = field(default_factory=list)

    @property
    def cells(self) -> list[str]:
        """As the table shows them."""
        trend = self.trend
        reasons = ", ".join(f"{number} {cause}" for cause, number in self.rejected.items())
        return [
            self.name, f"{self.sent}", f"{self.good[0]} of {self.good[1]}",
            f"{self.longest_wait_s:.1f}", reasons or "none",
            "{:.0f} to {:.0f}".format(*trend.memory_mib),
            f"{trend.slope_mib_per_10_min:+.2f}" + ("" if trend.long_enough else " (too short)"),
            f"{trend.peak_mib:.0f}", "{} to {}".format(*trend.threads),
            "{} to {}".format(*trend.descriptors), "yes" if self.alive else "NO",
        ]  # fmt: skip


def markdown(rows: Sequence[Row]) -> str:
    """The table."""
    lines = [_COLUMNS, ["---"] * len(_COLUMNS), *(row.cells for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def print_report(
    name: str,
    arguments: Sequence[str] | None,
    rows: Sequence[Row],
    seconds: float,
    document: Path | None,
) -> int:
    """Print the table and the faults, write both into a document; the exit status.

    Args:
        name: of the program, and of its part of the document.
        arguments: of the program; ``None`` takes those of the process.
        rows: of the table.
        seconds: that it took.
        document: with the markers of ``write_into``; ``None`` writes nothing.
    """
    faults = [f"{row.name}: {fault}" for row in rows for fault in row.faults]
    outcome = "\n".join(f"- FAULT: {fault}" for fault in faults) or "No fault was found."
    words = list(map(str, sys.argv[1:] if arguments is None else arguments))
    if "--table" in words:
        place = words.index("--table")
        del words[place : place + 2]
    command = " ".join(["python", f"benchmarks/{name}.py", *words])
    text = (
        f"`{command}`: {seconds / 60:.1f} minutes on {os.cpu_count()} cores\n\n{markdown(rows)}\n\n"
        f"{outcome}"
    )
    print(text)
    if document is not None:
        document.write_text(write_into(document.read_text(), name, text))
    return 1 if faults else 0


def write_into(document: str, name: str, text: str) -> str:
    """A document with what is between its two lines made anew.

    The lines are ``<!-- NAME -->`` and ``<!-- end of NAME -->``.

    Raises:
        ValueError: when it does not have both.
    """
    pattern = rf"(<!-- {name} -->\n).*?(<!-- end of {name} -->)"
    made, count = re.subn(
        pattern, lambda match: f"{match[1]}{text}\n{match[2]}", document, flags=re.DOTALL
    )
    if count != 1:
        raise ValueError(
            f"the lines '<!-- {name} -->' and '<!-- end of {name} -->' are there {count} times; "
            "they must be there once"
        )
    return made
