"""The tables of a comparison of precisions."""

from __future__ import annotations

from typing import Any

from coarse_loftr_lab.evaluation.tables import Column, Record, Table, make_table, number

__all__ = ["precision_tables"]


def precision_tables(report: dict[str, Any]) -> dict[str, Table]:
    """Accuracy per kind of pairs, then size and confidences, then time."""
    rows = report["rows"]
    tables = {}
    for index, first in enumerate(rows[0]["results"]):
        records = [{"method": row["method"], **row["results"][index]} for row in rows]
        tables[f"{first['kind']}, {first['summary']['pairs']} pairs"] = make_table(
            [
                Column("method", lambda r: r["method"]),
                *(_area(k, figure) for k, figure in enumerate(first["summary"]["auc"][:3])),
                Column("median px", lambda r: number(r["summary"]["median_error_px"], 3)),
                Column("change of the mean error, %", _change),
                Column("matches", lambda r: number(r["summary"]["median_matches"], 0)),
            ],
            records,
        )
    tables["Size and confidences"] = make_table(
        [
            Column("method", lambda r: r["method"]),
            Column("ONNX, MB", lambda r: number(r["megabytes"], 2)),
            Column("calibration error", lambda r: number(r["calibration_error"], 3)),
        ],
        rows,
    )
    tables["Time to encode one image, taking turns"] = make_table(
        [
            Column("encoder", lambda r: r["name"]),
            Column("ms", lambda r: number(r["milliseconds"]["median"], 1)),
            Column("10-90 %", lambda r: _range(r["milliseconds"], 1)),
            Column("times faster", lambda r: number(r["speedup"]["median"], 2)),
            Column("10-90 % ", lambda r: _range(r["speedup"], 2)),
        ],
        report["times"],
    )
    return tables


def _area(index: int, figure: Record) -> Column:
    def text(record: Record) -> str:
        return number(100 * record["summary"]["auc"][index]["value"], 1)

    return Column(f"AUC@{figure['threshold']:g} px", text)


def _change(record: Record) -> str:
    value, low, high = (100 * record["change"][part] for part in ("value", "low", "high"))
    return "-" if value == low == high == 0 else f"{value:+.1f} [{low:+.1f}, {high:+.1f}]"


def _range(spread: Record, digits: int) -> str:
    return f"{spread['low']:.{digits}f} - {spread['high']:.{digits}f}"
