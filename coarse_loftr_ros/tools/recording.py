"""Recordings as the commands read them: with a progress bar, and what was rejected in words."""

from __future__ import annotations

from typing import Any

from coarse_loftr_ros.recordings.source import Source

__all__ = ["progress", "rejected_rows", "why_rejected"]


def progress(source: Source, what: str) -> Any:
    """The source's images behind a progress bar, which only a terminal shows."""
    from tqdm import tqdm

    return tqdm(source.images(), total=source.count, unit="img", desc=what, disable=None)


def rejected_rows(source: Source) -> list[tuple[str, str]]:
    """What was rejected, as rows of a table."""
    return [
        (f"rejected ({kind})", f"{rejected.count}, such as: {rejected.example}")
        for kind, rejected in source.rejected.items()
    ]


def why_rejected(source: Source) -> str:
    """What was rejected, as the end of a sentence; empty when nothing was."""
    causes = "; ".join(f"{r.count} x {r.example}" for r in source.rejected.values())
    return f": {causes}" if causes else ""
