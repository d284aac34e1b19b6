"""``coarse-loftr fleet compare``: what became better or worse between two fleets."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from coarse_loftr_ros.commands.common.errors import UserError, as_user_error
from coarse_loftr_ros.files.json_text import to_json
from coarse_loftr_ros.fleet.comparison import FleetComparison, compare_fleets
from coarse_loftr_ros.fleet.folder import FleetFolder
from coarse_loftr_ros.fleet.settings import FleetError

__all__ = ["run_comparison"]

_SHOWN = 40  # rows of single recordings


def run_comparison(args: argparse.Namespace) -> int:
    """Compare and print."""
    if len(args.sources) != 3 or args.output or args.resume:
        raise UserError("fleet compare takes two folders of results, OUT_A and OUT_B")
    first, second = (FleetFolder(Path(name)) for name in args.sources[1:])
    with as_user_error(FleetError):
        found = compare_fleets(first, second)
    if args.json:
        print(json.dumps({"overall": _overall(found), **_rest(found)}))
    else:
        print(_text(found, first, second))
    return 0


def _overall(found: FleetComparison) -> list[dict]:
    return [
        {"settings": settings, "metric": metric, **to_json(difference)}
        for settings, metric, difference in found.overall
    ]


def _rest(found: FleetComparison) -> dict:
    values = to_json(found)
    return {name: value for name, value in values.items() if name != "overall"}


def _text(found: FleetComparison, first: FleetFolder, second: FleetFolder) -> str:
    lines = [f"A: {first.root}", f"B: {second.root}"]
    lines.append(f"differs in: {found.differences or 'nothing that decides results'}")
    head = ("settings", "metric", "A", "B", "B - A", "95 % interval", "better", "worse", "pairs")
    rows = [
        (
            settings,
            metric,
            f"{d.before:.2f}",
            f"{d.after:.2f}",
            f"{d.difference:+.2f}",
            f"{d.low:+.2f} to {d.high:+.2f}{' *' if d.sure else ''}",
            str(d.better),
            str(d.worse),
            str(d.pairs),
        )
        for settings, metric, d in found.overall
    ]
    lines += ["", *_aligned([head, *rows])]
    lines += ["", "* the interval leaves zero out, and there are six pairs or more"]
    if found.changes:
        lines += ["", "recording by recording, the largest changes first:"]
        table = [("", "recording", "settings", "metric", "A", "B")]
        for change in found.changes[:_SHOWN]:
            word = "better" if change.gain > 0 else "worse"
            table.append(
                (
                    word,
                    change.recording,
                    change.settings,
                    change.metric,
                    change.before,
                    change.after,
                )
            )
        lines += _aligned(table)
        if len(found.changes) > _SHOWN:
            lines.append(f"... and {len(found.changes) - _SHOWN} more (--json has all)")
    else:
        lines += ["", "no recording changed"]
    for said, names in (
        ("only in A", found.only_before),
        ("only in B", found.only_after),
        ("of one name, but not the same recording", found.other_content),
    ):
        if names:
            more = f" and {len(names) - 10} more" if len(names) > 10 else ""
            lines.append(f"{said}: {', '.join(names[:10])}{more}")
    return "\n".join(lines)


def _aligned(rows: list[tuple[str, ...]]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
