"""What the report of a fleet shows, as plain values."""

from __future__ import annotations

import base64
import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from coarse_loftr_ros.files.json_text import to_json
from coarse_loftr_ros.fleet.folder import FleetFolder
from coarse_loftr_ros.fleet.manifest import Manifest
from coarse_loftr_ros.fleet.metrics import METRICS
from coarse_loftr_ros.fleet.settings import Settings
from coarse_loftr_ros.fleet.statistics import paired_difference

__all__ = ["report_data"]

_BINS_IN_ALL = 60_000  # of all curves together, which bounds the size of the page
_BINS = (20, 120)
_PATH_POINTS_IN_ALL = 40_000
_PATH_POINTS = (20, 100)
_MOMENTS = 24
_MOMENTS_IF_OK = 9
_WORST = {"LOST": 2, "DEGRADED": 1, "OK": 0}


def report_data(folder: FleetFolder, manifest: Manifest) -> dict[str, Any]:
    """All that the page shows.

    Args:
        folder: of the results.
        manifest: of the fleet.

    Raises:
        FleetError: when a result is damaged.
    """
    tasks = max(1, len(manifest.recordings) * len(manifest.settings))
    bins = int(np.clip(_BINS_IN_ALL // tasks, *_BINS))
    points = int(np.clip(_PATH_POINTS_IN_ALL // tasks, *_PATH_POINTS))
    rows, moments = [], []
    for row, result in _rows(folder, manifest, bins, points):
        rows.append(row)
        for number, moment in enumerate(result.get("moments", [])):
            moments.append((_badness(moment), -number, len(rows) - 1, moment))
        moments = _worst(moments)
    return {
        "environment": manifest.environment,
        "settings": [{"name": s.name, **_changed(s.values())} for s in manifest.settings],
        "recordings": len(manifest.recordings),
        "metrics": [
            {"name": m.name, "title": m.title, "sign": m.sign, "digits": m.digits} for m in METRICS
        ],
        "rows": rows,
        "comparisons": _comparisons(manifest, rows),
        "cameras": _cameras(rows),
        "moments": [_picture(folder, rows[index], moment) for _, _, index, moment in moments],
    }


def _rows(
    folder: FleetFolder, manifest: Manifest, bins: int, points: int
) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """A row for each recording and setting, with its result."""
    for recording in manifest.recordings:
        for settings in manifest.settings:
            result = folder.result(recording.name, settings.name)
            row: dict[str, Any] = {"recording": recording.name, "settings": settings.name}
            if result is None:
                yield {**row, "source": recording.address, "status": "missing", "reason": ""}, {}
                continue
            row |= {name: result[name] for name in ("source", "status", "reason")}
            if result["status"] == "done":
                row |= _done(result)
                curves = folder.json(recording.name, settings.name, "curves.json")
                row["curves"] = _fewer(curves or {}, bins)
                path = (result["odometry"] or {}).get("path") or []
                chosen = path[:: math.ceil(len(path) / points)] if path else []
                row["path"] = [[_short(p[0]), _short(p[2])] for p in chosen]
            yield row, result


def _done(result: dict[str, Any]) -> dict[str, Any]:
    stereo, odometry = result["stereo"], result["odometry"]
    values = {metric.name: metric.value(result) for metric in METRICS}
    row = {name: _short(value) for name, value in values.items() if value is not None}
    row |= {
        "images": result["images"],
        "start": result["start_ns"] // 1_000_000 if result["timed"] else None,
        "seconds": _short(result["seconds"]),
        "mode": result["mode"],
        "camera": result["camera"],
        "notes": _notes(result),
        "moments": [moment["picture"] for moment in result["moments"]],
    }
    if stereo is not None and stereo["row_offset_px"] is not None:
        values = (stereo["row_offset_px"], *stereo["row_offset_quartiles_px"])
        row["offset"] = [_short(value) for value in values]
        if stereo["row_drift_px_per_min"] is not None:
            row["offset_drift"] = _short(stereo["row_drift_px_per_min"])
    if stereo is not None:
        row["off_row"] = _short(100 * stereo["off_row_share"])
    if odometry is not None:
        row["length"], row["metric"] = _short(odometry["length"]), odometry["metric"]
    return row


def _notes(result: dict[str, Any]) -> list[str]:
    """What took no part or is lacking, in words."""
    notes = [
        f"{found['count']} x {cause}: {found['example']}"
        for cause, found in result["input"]["rejected"].items()
    ]
    notes += result["input"]["notices"]
    if result["odometry_lacking"]:
        notes.append(f"no odometry: {result['odometry_lacking']}")
    elif result["odometry"] and result["odometry"]["errors_lacking"]:
        notes.append(f"no errors: {result['odometry']['errors_lacking']}")
    elif result["truth_lacking"]:
        notes.append(f"no errors: {result['truth_lacking']}")
    return notes


def _fewer(curves: dict[str, list[Any]], bins: int) -> dict[str, list[Any]]:
    """Curves of at most so many values, as whole numbers, which compress well.

    Seconds are differences in hundredths, coverage per cent, offsets hundredths of a pixel.
    """
    seconds = curves.get("seconds", [])
    if not seconds:
        return {}
    parts = [
        list(index) for index in np.array_split(np.arange(len(seconds)), min(bins, len(seconds)))
    ]
    centres = [round(100 * float(np.mean([seconds[i] for i in part]))) for part in parts]
    fewer: dict[str, list[Any]] = {"t": [centres[0], *np.diff(centres).tolist()]}
    for name, short, factor, reduce in (
        ("status", "s", 1, max),
        ("inliers", "i", 1, min),
        ("coverage", "c", 100, min),
        ("row_offset_px", "o", 100, np.median),
        ("odometry_status", "d", 1, max),
    ):
        values = curves.get(name)
        if values is None:
            continue
        known = [[values[i] for i in part if values[i] is not None] for part in parts]
        fewer[short] = [round(factor * float(reduce(each))) if each else None for each in known]
    return fewer


def _comparisons(manifest: Manifest, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Each setting beside the first one, on the recordings that both could do."""
    by_task = {(row["recording"], row["settings"]): row for row in rows}
    first, *others = manifest.settings
    found = []
    for other in others:
        for metric in METRICS:
            pairs = [
                (before[metric.name], after[metric.name])
                for recording in manifest.recordings
                if (before := by_task[recording.name, first.name]).get(metric.name) is not None
                and (after := by_task[recording.name, other.name]).get(metric.name) is not None
            ]
            each = paired_difference(
                [pair[0] for pair in pairs], [pair[1] for pair in pairs], metric.sign, metric.least
            )
            if each is not None:
                values = {"first": first.name, "other": other.name, "metric": metric.name}
                found.append({**values, **to_json(each), "sure": each.sure})
    return found


def _cameras(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Each stereo camera's row offset, and how it changed over recordings whose dates are known."""
    groups: dict[str, dict[str, tuple[int, float]]] = {}
    for row in rows:
        if "offset" in row:
            key = row["camera"] or "unknown"
            entry = (row["start"] or 0, row["offset"][0])
            groups.setdefault(key, {}).setdefault(row["recording"], entry)
    found = []
    for camera, entries in groups.items():
        dated = len(entries) > 1 and all(start for start, _ in entries.values())
        ordered = [offset for _, offset in sorted(entries.values())]
        third = max(1, len(ordered) // 3)
        change = float(np.median(ordered[-third:]) - np.median(ordered[:third]))
        found.append(
            {
                "camera": camera,
                "recordings": len(ordered),
                "offset": _short(float(np.median(ordered))),
                "change": _short(change) if dated else None,
            }
        )
    return found


def _badness(moment: dict[str, Any]) -> tuple[float, ...]:
    return _WORST[moment["status"]], 1.0 - moment["coverage"], -moment["inliers"]


def _worst(moments: list[tuple]) -> list[tuple]:
    """The worst moments: first those that are not OK, and of each recording first the worst one."""
    ordered = sorted(moments, key=lambda m: (m[0][0] > 0, m[1], m[0], -m[2]), reverse=True)
    bad = sum(moment[0][0] > 0 for moment in ordered)
    return ordered[: max(min(bad, _MOMENTS), _MOMENTS_IF_OK)]


def _picture(folder: FleetFolder, row: dict[str, Any], moment: dict[str, Any]) -> dict[str, Any]:
    path = folder.place(row["recording"], row["settings"]) / moment["picture"]
    coded = base64.b64encode(path.read_bytes()).decode() if path.is_file() else ""
    return {
        **moment,
        "recording": row["recording"],
        "settings": row["settings"],
        "picture": f"data:image/webp;base64,{coded}",
        "file": moment["picture"],
        "after": moment["after"],
        "coverage": round(100 * moment["coverage"]),
    }


def _changed(values: dict[str, Any]) -> dict[str, Any]:
    """Settings that are not the defaults."""
    default = Settings().values()
    return {"values": {k: v for k, v in values.items() if k != "name" and default[k] != v}}


def _short(value: float) -> float:
    return float(f"{value:.4g}")
