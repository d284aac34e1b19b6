"""The tables of each kind of evaluation, from its report as JSON holds it."""

from __future__ import annotations

from typing import Any

from coarse_loftr_lab.evaluation.precision_tables import precision_tables
from coarse_loftr_lab.evaluation.tables import Column, Record, Table, make_table, number

__all__ = ["report_tables"]


def report_tables(kind: str, report: dict[str, Any]) -> dict[str, Table]:
    """Tables by title, in order.

    Args:
        kind: of the evaluation, as ``coarse-loftr evaluate`` names it.
        report: as it is written to JSON.
    """
    return _TABLES[kind](report)


def _method(record: Record) -> str:
    return record["method"]


def _failed() -> Column:
    return Column("failed", lambda r: f"{r['failures']}/{r['pairs']}")


def _counts() -> list[Column]:
    return [
        Column("matches", lambda r: number(r["median_matches"], 0)),
        Column("inliers", lambda r: number(r["median_inliers"], 0)),
    ]


def _median(header: str, key: str, digits: int) -> Column:
    """An error: the smallest is the best."""
    return Column(
        header,
        lambda r: number(r[key], digits),
        lambda r: float("-inf") if r[key] is None else -round(r[key], digits),
    )


def _areas(summaries: list[Record], unit: str) -> list[Column]:
    """AUC in per cent with its 95 % interval, one column per threshold."""

    def column(index: int, threshold: float) -> Column:
        def text(record: Record) -> str:
            figure = record["auc"][index]
            value, low, high = (100 * figure[part] for part in ("value", "low", "high"))
            return f"{value:.1f} [{low:.0f}, {high:.0f}]"

        return Column(
            f"AUC@{threshold:g}{unit}", text, lambda r: round(r["auc"][index]["value"], 3)
        )

    return [column(k, figure["threshold"]) for k, figure in enumerate(summaries[0]["auc"])]


def _accuracy(px: int) -> Column:
    return Column(
        f"MMA@{px} px",
        lambda r: f"{100 * r['accuracy'][px - 1]:.1f}",
        lambda r: round(r["accuracy"][px - 1], 3),
    )


def _homography(report: dict[str, Any]) -> dict[str, Table]:
    columns = [
        Column("method", _method),
        *_areas(report["summaries"], " px"),
        _accuracy(1),
        _accuracy(3),
        _median("median px", "median_error_px", 2),
        _failed(),
        *_counts(),
    ]
    return {"": make_table(columns, report["summaries"])}


def _pose(report: dict[str, Any]) -> dict[str, Table]:
    columns = [
        Column("method", _method),
        *_areas(report["summaries"], " deg"),
        _median("rotation deg", "median_rotation_deg", 2),
        _median("direction deg", "median_direction_deg", 2),
        _failed(),
        *_counts(),
    ]
    return {"": make_table(columns, report["summaries"])}


def _direction(record: Record) -> str:
    value, low, high = (
        number(record[f"{part}direction{end}_deg"], 2)
        for part, end in (("median_", ""), ("", "_low"), ("", "_high"))
    )
    return f"{value} [{low}, {high}]"


def _odometry(report: dict[str, Any]) -> dict[str, Table]:
    columns = [
        Column("method", _method),
        Column("direction deg", _direction, _median("", "median_direction_deg", 2).rank),
        _median("rotation deg", "median_rotation_deg", 3),
        _failed(),
        *_counts(),
    ]
    gaps = dict.fromkeys(record["gap"] for record in report["summaries"])
    return {
        f"gap {gap}": make_table(columns, [r for r in report["summaries"] if r["gap"] == gap])
        for gap in gaps
    }


def _tiny_motion(report: dict[str, Any]) -> dict[str, Table]:
    """Two tables per surface: direction errors, then the points' noise and number."""
    levels = report["levels"]
    doses = sorted({level["dose"] for level in levels})

    def direction(dose: float) -> Column:
        def text(record: Record) -> str:
            value, low, high = (
                number(record[dose][key], 1) for key in ("direction_deg", "low_deg", "high_deg")
            )
            return f"{value} [{low}, {high}]"

        return Column(f"{dose:g} px", text, lambda r: -round(r[dose]["direction_deg"], 1))

    def noise(dose: float) -> Column:
        def text(record: Record) -> str:
            return " / ".join(number(record[dose][key], 3) for key in ("noise_px", "typical_px"))

        return Column(f"{dose:g} px", text)

    tables = {}
    for surface in dict.fromkeys(level["surface"] for level in levels):
        rows: dict[str, Record] = {}
        for level in levels:
            if level["surface"] == surface:
                row = rows.setdefault(level["method"], {"method": level["method"]})
                row[level["dose"]] = level
        counts = Column("matches", lambda r: number(r[doses[0]]["matches"], 0))
        for title, columns in (
            ("direction, degrees", [*map(direction, doses)]),
            ("noise of the points, px, rms / typical", [*map(noise, doses), counts]),
        ):
            tables[f"{surface}: {title}"] = make_table(
                [Column("method", _method), *columns], list(rows.values())
            )
    return tables


def _visual_odometry(report: dict[str, Any]) -> dict[str, Table]:
    """One table per drive, with what every drive has; a dash where there is none."""
    tables = {}
    for drive, mode in dict.fromkeys((r["drive"], r["mode"]) for r in report["results"]):
        rows = []
        for result in report["results"]:
            if (result["drive"], result["mode"]) != (drive, mode):
                continue
            path, errors = result["path"], result["path"]["errors"]
            parts = errors["segments"] or {}
            rows.append(
                {
                    "method": result["method"],
                    "t_rel": parts.get("mean_t_rel_percent"),
                    "r_rel": parts.get("mean_r_rel_deg_per_m"),
                    "rotation": errors["steps"]["median_rotation_deg"],
                    "direction": errors["steps"]["median_direction_deg"],
                    "end": errors["end_percent"],
                    "ape": (errors["evo"] or {}).get("ape_rmse_m"),
                    "lost": path["lost"],
                    "images": path["images"] - 1,
                    "ratio": result["match_ratio"],
                    "odometry": path["odometry_ms"]["median"],
                }
            )
        lengths = (errors["segments"] or {}).get("lengths_m") or [0]
        columns = [
            Column("method", _method),
            _median("t_rel %", "t_rel", 2),
            _median("r_rel deg/m", "r_rel", 4),
            _median("rotation deg", "rotation", 3),
            _median("direction deg", "direction", 2),
            _median("end %", "end", 2),
            *([_median("APE m", "ape", 3)] if errors["evo"] else []),
            Column("lost", lambda r: f"{r['lost']}/{r['images']}"),
            Column("matching", lambda r: f"x {r['ratio']:.2f}"),
            Column("odometry ms", lambda r: number(r["odometry"], 1)),
        ]
        title = (
            f"{drive}, {mode}: {errors['length_m']:.1f} m, parts of {lengths[0]:g} to "
            f"{lengths[-1]:g} m"
        )
        tables[title] = make_table(columns, rows)
    return tables


def _share(record: Record) -> str:
    value, low, high = (100 * record[part] for part in ("success", "low", "high"))
    return f"{value:.0f} [{low:.0f}, {high:.0f}]"


def _success(header: str, key: str) -> Column:
    """Success rate in per cent, of the record that a row holds under ``key``."""
    return Column(header, lambda r: _share(r[key]), lambda r: r[key]["success"])


def _stress(report: dict[str, Any]) -> dict[str, Table]:
    methods = dict.fromkeys(level["method"] for level in report["levels"])
    rows: dict[str, Record] = {name: {"method": name} for name in methods}
    for level in report["levels"]:
        rows[level["method"]][f"{level['suite']} {level['dose']}"] = level
    for summary in report["summaries"]:
        rows[summary["method"]][summary["suite"]] = summary
    first, calm = Column("method", _method), " 0.0"
    names = [suite["name"] for suite in report["suites"]]
    overview = [first, _success("no stress", calm), *(_success(name, name) for name in names)]
    tables = {"all doses of a suite together": make_table(overview, list(rows.values()))}
    for suite in report["suites"]:
        doses = [_success(f"{d:g}", f"{suite['name']} {d}") for d in suite["doses"]]
        columns = [first, _success(suite["calm"], calm), *doses]
        title = f"{suite['name']} ({suite['quantity']})"
        tables[title] = make_table(columns, list(rows.values()))
    return tables


def _tuning(report: dict[str, Any]) -> dict[str, Table]:
    thresholds = (1, 3, 5)
    columns = [
        Column("method", _method),
        Column("setting", lambda r: r["setting"]),
        Column("value", lambda r: f"{r['value']:g}"),
        *(
            Column(f"AUC@{px} px", lambda r, k=k: f"{100 * r['auc'][k]:.1f}")
            for k, px in enumerate(thresholds)
        ),
        Column("mean", lambda r: f"{100 * r['mean']:.1f}"),
        Column("", lambda r: "best" if r["best"] else ""),
    ]
    return {"": make_table(columns, report["tried"])}


def _calibration(report: dict[str, Any]) -> dict[str, Table]:
    overview = [
        Column("method", _method),
        Column("pairs", lambda r: f"{r['pairs']}"),
        Column("matches", lambda r: f"{r['matches']}"),
        Column("calibration error", lambda r: f"{r['calibration_error']:.3f}"),
        Column("threshold", lambda r: f"{r['threshold']:.2f}"),
    ]
    curve = [
        Column("confidence", lambda r: f"{r['confidence']:.2f}"),
        Column("precision", lambda r: f"{r['precision']:.3f} [{r['low']:.3f}, {r['high']:.3f}]"),
        Column("matches", lambda r: f"{r['matches']}"),
    ]
    points = [
        Column("threshold", lambda r: f"{r['threshold']:.2f}"),
        Column("matches a pair", lambda r: f"{r['matches']:.0f}"),
        Column("precision", lambda r: f"{r['precision']:.3f}"),
        Column("recall", lambda r: f"{r['recall']:.3f}"),
    ]
    tables = {"": make_table(overview, report["calibrations"])}
    for record in report["calibrations"]:
        tables[f"{record['method']}: precision of matches of equal confidence"] = make_table(
            curve, record["bins"]
        )
        tables[f"{record['method']}: what a threshold leaves"] = make_table(
            points, record["points"][::2]
        )
    return tables


def _unrelated(report: dict[str, Any]) -> dict[str, Table]:
    columns = [
        Column("method", _method),
        Column("pairs", lambda r: f"{r['pairs']} {r['kind']}"),
        Column("OK", lambda r: f"{r['ok']}"),
        Column("at most %", lambda r: f"{100 * r['high']:.2f}"),
        Column("DEGRADED", lambda r: f"{r['degraded']}"),
        Column("those that are OK", lambda r: "; ".join(r["names"]) or "-"),
    ]
    return {"": make_table(columns, report["results"])}


def _benchmark(report: dict[str, Any]) -> dict[str, Table]:
    def stage(name: str) -> Column:
        def text(record: Record) -> str:
            return number(record["stages_ms"].get(name, {}).get("median"), 1)

        return Column(name, text)

    def ratio(of: str) -> Column:
        def text(record: Record) -> str:
            spread = record["ratios"][of]
            return f"{spread['median']:.2f} [{spread['low']:.2f}, {spread['high']:.2f}]"

        return Column(f"x {of}", text)

    def spread(record: Record) -> str:
        total = record["stages_ms"]["total"]
        return f"{total['low']:.1f} - {total['high']:.1f}"

    columns = [
        Column("ms per frame", _method),
        *map(stage, ("encode", "match", "refine", "homography", "total")),
        Column("10-90 %", spread),
        *map(ratio, report["methods"][0]["ratios"]),
    ]
    return {"": make_table(columns, report["methods"])}


_TABLES = {
    "homography": _homography,
    "random": _homography,
    "pose": _pose,
    "wide_baseline": _pose,
    "tiny_motion": _tiny_motion,
    "odometry": _odometry,
    "visual_odometry": _visual_odometry,
    "stress": _stress,
    "calibration": _calibration,
    "tune": _tuning,
    "unrelated": _unrelated,
    "benchmark": _benchmark,
    "precision": precision_tables,
}
