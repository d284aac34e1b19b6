"""Results in documents: tables between markers, made from the figures that are kept as JSON.

A document says where a table goes with two lines, and what is between them is made anew::

    <!-- results: random -->
    <!-- end of results -->

The name is that of a file in the folder of figures, ``overview`` or ``summary``.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from coarse_loftr_lab.evaluation.marked_blocks import fill_blocks
from coarse_loftr_lab.evaluation.report_tables import report_tables

__all__ = ["fill", "overview", "section", "summary"]

# Left out of the overview: its rows with refinement say more.
_RAW_STUDENT = "published student"


def fill(text: str, folder: Path) -> str:
    """A document with all its tables made anew.

    Args:
        text: Markdown with markers.
        folder: of the figures, ``<name>.json``.

    Raises:
        ValueError: when a marker has no end, or an end no marker.
        FileNotFoundError: when there are no figures of a name.
    """

    def made(name: str) -> str:
        selection = {"overview": overview, "summary": summary}.get(name)
        return selection(folder) if selection else section(_read(folder, name))

    return fill_blocks(text, "results", made)


def section(figures: dict[str, Any]) -> str:
    """All tables of one file, and what they were made with."""
    parts = []
    for title, table in report_tables(figures["kind"], figures["report"]).items():
        parts += [f"**{title}**", table.markdown()] if title else [table.markdown()]
    made_with = f"OpenCV {figures['opencv']}, NumPy {figures['numpy']}, {figures['threads']} thread"
    parts.append(f"({made_with}{'s' if figures['threads'] > 1 else ''})")
    return "\n\n".join(parts)


def overview(folder: Path) -> str:
    """The most telling figures of all files: one line per figure, one column per method.

    Time is of the first method, and of the others how many times that.
    """
    methods = _methods(folder)
    return _markdown(
        methods,
        _homography_line("random", folder, methods),
        _homography_line("homography", folder, methods),
        _direction_line(folder, methods),
        _drift_line(folder, methods),
        *_stress_lines(folder, methods),
        _time_line(folder, methods),
    )


def summary(folder: Path) -> str:
    """The overview in short: one line each for accuracy, drift, all kinds of stress, and time."""
    methods = _methods(folder)
    return _markdown(
        methods,
        _homography_line("random", folder, methods),
        _direction_line(folder, methods),
        _drift_line(folder, methods),
        _stress_line(folder, methods),
        _time_line(folder, methods),
    )


def _methods(folder: Path) -> list[str]:
    """Those of the columns, in their order."""
    summaries = _read(folder, "random")["report"]["summaries"]
    return [s["method"] for s in summaries if s["method"] != _RAW_STUDENT]


def _markdown(methods: Sequence[str], *lines: Sequence[str]) -> str:
    head = [["", *methods], ["---"] * (len(methods) + 1)]
    return "\n".join(f"| {' | '.join(line)} |" for line in (*head, *lines))


def _homography_line(name: str, folder: Path, methods: Sequence[str]) -> list[str]:
    images = {
        "random": "random homographies of unseen photographs",
        "homography": "boat + iguazu: real zoom, rotation, noise",
    }
    summaries = _read(folder, name)["report"]["summaries"]
    of = {s["method"]: [100 * figure["value"] for figure in s["auc"][:3]] for s in summaries}
    title = f"{images[name]}, AUC@1 / 3 / 5 px (n = {summaries[0]['pairs']})"
    return [title, *_cells([of[method] for method in methods], 0, largest=True)]


def _direction_line(folder: Path, methods: Sequence[str]) -> list[str]:
    summaries = _read(folder, "odometry")["report"]["summaries"]
    gaps = list(dict.fromkeys(s["gap"] for s in summaries))
    errors = {(s["method"], s["gap"]): s["median_direction_deg"] for s in summaries}
    title = f"KITTI 06: direction error, median degrees, {' / '.join(map(str, gaps))} images apart"
    rows = [[errors[method, gap] for gap in gaps] for method in methods]
    return [title, *_cells(rows, 2, largest=False)]


def _drift_line(folder: Path, methods: Sequence[str]) -> list[str]:
    results = _read(folder, "visual_odometry")["report"]["results"]
    of = {r["method"]: r["path"]["errors"] for r in results if r["mode"] == "stereo"}
    title = f"stereo odometry, {of[methods[0]]['length_m']:.0f} m of KITTI 06: drift (t_rel), %"
    rows = [[of[m]["segments"]["mean_t_rel_percent"] if m in of else None] for m in methods]
    return [title, *_cells(rows, 2, largest=False)]


def _stress_lines(folder: Path, methods: Sequence[str]) -> list[list[str]]:
    report = _read(folder, "stress")["report"]
    lines = []
    for suite in report["suites"]:
        of = {s["method"]: s for s in report["summaries"] if s["suite"] == suite["name"]}
        pairs = of[methods[0]]["pairs"]
        doses = f"{suite['doses'][0]:g} to {suite['doses'][-1]:g} {suite['quantity']}"
        title = f"{suite['name']}, {doses}: success, % (n = {pairs})"
        rows = [[100 * of[method]["success"]] for method in methods]
        lines.append([title, *_cells(rows, 0, largest=True)])
    return lines


def _stress_line(folder: Path, methods: Sequence[str]) -> list[str]:
    """The share of all pairs of all kinds of stress."""
    report = _read(folder, "stress")["report"]
    of = {m: [s for s in report["summaries"] if s["method"] == m] for m in methods}
    pairs = sum(s["pairs"] for s in of[methods[0]])
    names = ", ".join(suite["name"] for suite in report["suites"])
    rows = [[100 * sum(s["success"] * s["pairs"] for s in of[m]) / pairs] for m in methods]
    return [f"{names}: success, % (n = {pairs})", *_cells(rows, 0, largest=True)]


def _time_line(folder: Path, methods: Sequence[str]) -> list[str]:
    title = "time per 640x480 frame (student: ONNX Runtime, without Lucas-Kanade)"
    return [title, *_times(_read(folder, "benchmark")["report"]["methods"], methods)]


def _cells(rows: Sequence[Sequence[float | None]], digits: int, largest: bool) -> list[str]:
    """One cell per method, of one or more figures; the best of each is bold."""
    shown = [[None if v is None else round(v, digits) + 0.0 for v in figures] for figures in rows]
    best = []
    for figures in zip(*shown, strict=True):
        known = [figure for figure in figures if figure is not None]
        best.append((max if largest else min)(known) if known else None)
    cells = []
    for figures in shown:
        parts = ["-" if v is None else f"{v:.{digits}f}" for v in figures]
        bold = [v is not None and v == b for v, b in zip(figures, best, strict=True)]
        cells.append(
            " / ".join(f"**{p}**" if is_best else p for p, is_best in zip(parts, bold, strict=True))
        )
    return cells


def _times(rows: list[dict[str, Any]], methods: Sequence[str]) -> list[str]:
    """Milliseconds of the first method and ratios of the others; a dash where it was not timed."""
    cells = []
    for method in methods:
        # Ours and the student are timed with several runtimes: the first is the one in question.
        name = "published pair graph, onnxruntime" if method.startswith(_RAW_STUDENT) else method
        row = next((r for r in rows if r["method"] == name or r["method"].startswith(f"{name}, ")),
                   None)  # fmt: skip
        if row is None:
            cells.append("-")
        elif not cells:
            cells.append(f"{row['stages_ms']['total']['median']:.0f} ms")
        else:
            ratio = next(iter(row["ratios"].values()))
            cells.append(f"{ratio['median']:.1f} times")
    return cells


def _read(folder: Path, name: str) -> dict[str, Any]:
    file = folder / f"{name}.json"
    if not file.is_file():
        raise FileNotFoundError(f"there are no figures {file}")
    return json.loads(file.read_text())
