"""Recordings as the commands read them: opened by their options, and described in words."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from coarse_loftr_ros.commands.common.errors import UserError
from coarse_loftr_ros.recordings.errors import RecordingError, UnpairedError
from coarse_loftr_ros.recordings.frame_sets import UNPAIRED, FrameSets
from coarse_loftr_ros.recordings.input_report import InputReport
from coarse_loftr_ros.recordings.opening import open_source
from coarse_loftr_ros.recordings.source import Source

__all__ = [
    "input_json",
    "open_recording",
    "print_stereo_gap",
    "progress",
    "rejected_rows",
    "too_few_images",
]

_SHOWN = 3  # names in a row of a table


@contextmanager
def open_recording(args: argparse.Namespace, streams: Sequence[str | None]) -> Iterator[Source]:
    """Open the recording that a command was given; what is assumed about it is said.

    Args:
        args: with ``source``, ``rate`` and ``strict``.
        streams: topics or sub-folders.

    Raises:
        UserError: when it cannot be read; with ``--strict`` also when a part of it cannot be used.
    """
    report = InputReport(strict=args.strict, on_notice=lambda said: print(said, file=sys.stderr))
    try:
        with open_source(args.source, streams, args.rate, report) as source:
            yield source
    except UnpairedError as error:
        raise UserError(f"{error}; --tolerance-ms allows more than that") from error
    except RecordingError as error:
        raise UserError(str(error)) from error


def progress(source: Source, what: str) -> Any:
    """The source's images behind a progress bar, which only a terminal shows."""
    from tqdm import tqdm

    return tqdm(source.images(), total=source.count, unit="img", desc=what, disable=None)


def rejected_rows(source: Source) -> list[tuple[str, str]]:
    """What took no part, as rows of a table."""
    rows = []
    for cause, found in source.report.rejected.items():
        if cause == UNPAIRED:
            more = ", ..." if found.count > _SHOWN else ""
            rows.append((cause, f"{found.count}: {', '.join(found.names[:_SHOWN])}{more}"))
        else:
            rows.append((f"rejected ({cause})", f"{found.count}, such as: {found.example}"))
    return rows


def too_few_images(source: Source, complaint: str = " has no image that can be used") -> UserError:
    """The error of a recording of which too few images can be used.

    Args:
        source: the recording, whose images were read.
        complaint: follows the description of the recording; what was rejected follows it.
    """
    found = source.report.rejected.values()
    causes = "; ".join(f"{each.count} x {each.example}" for each in found)
    return UserError(f"{source.description}{complaint}{f': {causes}' if causes else ''}")


def input_json(source: Source, used: int) -> dict[str, Any]:
    """What became of the images, for ``--json``.

    Args:
        source: that was read.
        used: images, or pairs of images, that took part.
    """
    return {
        "used": used,
        "rejected": {
            cause: {"count": found.count, "names": found.names, "example": found.example}
            for cause, found in source.report.rejected.items()
        },
        "notices": source.report.notices,
    }


def print_stereo_gap(frame_sets: FrameSets) -> None:
    """Print the time between left and right images where most of them found no partner."""
    gap = frame_sets.gap_ms
    if (
        gap is not None
        and gap > frame_sets.tolerance_ms
        and 4 * frame_sets.pairs < frame_sets.images
    ):
        print(
            f"most images have no partner within the {frame_sets.tolerance_ms:g} ms of "
            f"--tolerance-ms: left and right are {gap:g} ms apart in the median",
            file=sys.stderr,
        )
