"""Figures of reports, from what JSON holds of them; matplotlib is imported only to draw.

Colours are those of Okabe and Ito (2008), distinct with every kind of colour vision, and a method
has the same colour in every figure.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from coarse_loftr_ros.files.panels import make_panels
from coarse_loftr_ros.files.whole_files import whole_files

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["draw_report", "recall_curve"]

_OURS = ("#0072B2", "#CC79A7", "#000000")
_BASELINES = {
    "ORB": ("#E69F00", "s"),
    "SIFT": ("#009E73", "^"),
    "AKAZE": ("#56B4E9", "v"),
    "XFeat": ("#D55E00", "D"),
    "published student + Lucas-Kanade": ("#666666", "x"),
    "published student": ("#AAAAAA", "+"),
}


def draw_report(kind: str, report: dict[str, Any], folder: Path) -> list[Path]:
    """Draw the figure of a report as ``<kind>.png`` and ``<kind>.svg``.

    Args:
        kind: of the evaluation, as ``coarse-loftr evaluate`` names it.
        report: as it is written to JSON.
        folder: made when missing.

    Returns:
        The files.

    Raises:
        ModuleNotFoundError: when matplotlib is not installed.
        OSError: when the files cannot be written.
    """
    import matplotlib

    figure = _FIGURES[kind](report)
    png, svg = (folder / f"{kind}.{suffix}" for suffix in ("png", "svg"))
    with whole_files(folder) as new:
        figure.savefig(new / png.name, dpi=150)
        # Without date and chance the same report gives the same file.
        with matplotlib.rc_context({"svg.hashsalt": kind}):
            figure.savefig(new / svg.name, metadata={"Date": None})
    return [png, svg]


def recall_curve(errors: list[float | None], at: np.ndarray) -> np.ndarray:
    """Share of the errors (``None`` is infinite) up to each of the given values."""
    finite = np.sort([error for error in errors if error is not None])
    return np.searchsorted(finite, at, side="right") / len(errors)


def _styles(methods: list[str]) -> dict[str, dict[str, Any]]:
    """Line style of each method; ours are thick and have no marker."""
    styles, ours = {}, iter(_OURS)
    for method in methods:
        known = next((name for name in _BASELINES if method.startswith(name)), None)
        if known:
            colour, marker = _BASELINES[known]
            styles[method] = {"color": colour, "marker": marker, "markersize": 4, "linewidth": 1.2}
        else:
            styles[method] = {"color": next(ours, _OURS[-1]), "linewidth": 2.4, "zorder": 3}
    return styles


def _legend(figure: Figure, panel: Axes) -> None:
    figure.legend(*panel.get_legend_handles_labels(), loc="outside lower center", ncols=4,
                  frameon=False, fontsize=9)  # fmt: skip


def _recall(panel: Axes, errors: dict[str, list[float | None]], limit: float, label: str) -> None:
    at = np.linspace(0, limit, 201)
    styles = _styles(list(errors))
    for method, values in errors.items():
        panel.plot(at, 100 * recall_curve(values, at), label=method, markevery=40, **styles[method])
    panel.set(xlim=(0, limit), ylim=(0, 102), xlabel=label, ylabel="pairs below, %")


def _errors(results: list[dict], of: Callable[[dict], float | None]) -> dict[str, list]:
    errors: dict[str, list] = {}
    for result in results:
        errors.setdefault(result["method"], []).append(of(result))
    return errors


def _homography(report: dict[str, Any]) -> Figure:
    figure, (recall, accuracy) = make_panels(1, 2, 5.2, 4.4)
    _recall(
        recall, _errors(report["results"], lambda r: r["corner_error_px"]), 10,
        "mean corner error, px",
    )  # fmt: skip
    styles = _styles([summary["method"] for summary in report["summaries"]])
    for summary in report["summaries"]:
        values = 100 * np.array(summary["accuracy"])
        accuracy.plot(range(1, len(values) + 1), values, **styles[summary["method"]])
    accuracy.set(xlim=(1, 10), ylim=(0, 102), xlabel="threshold, px",
                 ylabel="matches within, % (MMA)")  # fmt: skip
    _legend(figure, recall)
    return figure


def _pose(report: dict[str, Any]) -> Figure:
    figure, (panel,) = make_panels(1, 1, 6.4, 4.6)

    def error(result: dict) -> float | None:
        parts = result["rotation_error_deg"], result["direction_error_deg"]
        return None if None in parts else max(parts)

    _recall(panel, _errors(report["results"], error), 20, "larger of both pose errors, degrees")
    _legend(figure, panel)
    return figure


def _odometry(report: dict[str, Any]) -> Figure:
    gaps = list(dict.fromkeys(result["gap"] for result in report["results"]))
    figure, panels = make_panels(1, len(gaps), 3.6, 4.0)
    for panel, gap in zip(panels, gaps, strict=True):
        results = [result for result in report["results"] if result["gap"] == gap]
        errors = _errors(results, lambda r: r["direction_error_deg"])
        _recall(panel, errors, 3, "direction error, degrees")
        panel.set_title(f"every {gap}. image" if gap > 1 else "every image", fontsize=10)
    _legend(figure, panels[0])
    return figure


def _tiny_motion(report: dict[str, Any]) -> Figure:
    levels = report["levels"]
    surfaces = list(dict.fromkeys(level["surface"] for level in levels))
    figure, panels = make_panels(1, len(surfaces), 3.8, 4.0)
    styles = _styles(list(dict.fromkeys(level["method"] for level in levels)))
    for panel, surface in zip(panels, surfaces, strict=True):
        for method, style in styles.items():
            mine = [r for r in levels if (r["method"], r["surface"]) == (method, surface)]
            doses, errors = ([r[key] for r in mine] for key in ("dose", "direction_deg"))
            panel.plot(doses, errors, label=method, **style)
        panel.set(xscale="log", yscale="log", xlabel="parallax, px", ylabel="direction, degrees")
        panel.set_title(surface, fontsize=10)
    _legend(figure, panels[0])
    return figure


def _visual_odometry(report: dict[str, Any]) -> Figure:
    """Error over the length of the part, of each drive that is long enough to have parts."""
    results = [r for r in report["results"] if r["path"]["errors"]["segments"]]
    drives = list(dict.fromkeys((r["drive"], r["mode"]) for r in results))
    figure, panels = make_panels(1, max(1, len(drives)), 3.8, 4.0)
    styles = _styles(list(dict.fromkeys(result["method"] for result in results)))
    for panel, drive in zip(panels, drives, strict=False):
        for result in results:
            if (result["drive"], result["mode"]) == drive:
                parts, method = result["path"]["errors"]["segments"], result["method"]
                panel.plot(
                    parts["lengths_m"], parts["t_rel_percent"], label=method, **styles[method]
                )
        panel.set(xlabel="length of the part, m", ylabel="translation error, %")
        panel.set_ylim(bottom=0)
        panel.set_title(", ".join(drive), fontsize=9)
    _legend(figure, panels[0])
    return figure


def _stress(report: dict[str, Any]) -> Figure:
    suites = report["suites"]
    columns = min(4, len(suites))
    figure, panels = make_panels(-(-len(suites) // columns), columns, 3.8, 3.3)
    methods = list(dict.fromkeys(level["method"] for level in report["levels"]))
    styles = _styles(methods)
    level_of = {(r["method"], r["suite"], r["dose"]): r for r in report["levels"]}
    for panel in panels[len(suites) :]:
        panel.set_visible(False)
    for panel, suite in zip(panels, suites, strict=False):
        # Where doses lie on both sides of none, none is between them.
        calm = float(suite["calm"]) if suite["calm"].replace(".", "").isdigit() else None
        doses = [("", suite["calm"], 0.0), *((suite["name"], f"{d:g}", d) for d in suite["doses"])]
        if calm is not None and min(suite["doses"]) < calm < max(suite["doses"]):
            doses.sort(key=lambda dose: float(dose[1]))
        for method in methods:
            levels = [level_of[method, name, value] for name, _, value in doses]
            style = styles[method]
            panel.plot([100 * r["success"] for r in levels], label=method, **style)
            if "zorder" in style:
                low, high = ([100 * r[end] for r in levels] for end in ("low", "high"))
                panel.fill_between(range(len(levels)), low, high, color=style["color"], alpha=0.12)
        panel.set_xticks(range(len(doses)), [label for _, label, _ in doses], fontsize=8)
        panel.set(ylim=(-3, 103), xlabel=suite["quantity"], ylabel="success, %")
        panel.set_title(suite["name"], fontsize=10)
    _legend(figure, panels[0])
    return figure


def _calibration(report: dict[str, Any]) -> Figure:
    records = report["calibrations"]
    figure, panels = make_panels(2, len(records), 4.2, 3.6)
    for record, curve, tradeoff in zip(
        records, panels[: len(records)], panels[len(records) :], strict=True
    ):
        confidence, precision, low, high = (
            np.array([b[name] for b in record["bins"]])
            for name in ("confidence", "precision", "low", "high")
        )
        curve.plot([0, 1], [0, 1], color="#999999", linestyle="--", linewidth=1)
        curve.errorbar(confidence, precision, (precision - low, high - precision),
                       color=_OURS[0], marker="o", markersize=4, capsize=2)  # fmt: skip
        curve.axvline(record["threshold"], color=_BASELINES["XFeat"][0], linewidth=1)
        curve.set(xlim=(0, 1), ylim=(0, 1.02), xlabel="confidence", ylabel="precision")
        curve.set_title(record["method"], fontsize=9)
        at = [point["threshold"] for point in record["points"]]
        for name, colour, marker in (("precision", _OURS[0], "o"), ("recall", "#E69F00", "s")):
            values = [point[name] for point in record["points"]]
            tradeoff.plot(at, values, color=colour, marker=marker, markersize=3, label=name)
        tradeoff.axvline(record["threshold"], color=_BASELINES["XFeat"][0], linewidth=1,
                         label="recommended threshold")  # fmt: skip
        tradeoff.set(xlim=(0, 1), ylim=(0, 1.02), xlabel="threshold")
    _legend(figure, panels[-1])
    return figure


def _tuning(report: dict[str, Any]) -> Figure:
    settings = list(dict.fromkeys(record["setting"] for record in report["tried"]))
    figure, panels = make_panels(1, len(settings), 4.2, 3.8)
    for panel, setting in zip(panels, settings, strict=True):
        records = [record for record in report["tried"] if record["setting"] == setting]
        methods = list(dict.fromkeys(record["method"] for record in records))
        styles = _styles(methods)
        for method in methods:
            own = [record for record in records if record["method"] == method]
            means = [100 * r["mean"] for r in own]
            panel.plot([r["value"] for r in own], means, label=method, **styles[method])
        panel.set(xlabel=setting.replace("_", " "), ylabel="mean of AUC@1, 3, 5 px, %")
        panel.legend(fontsize=8, frameon=False)
    return figure


def _precision(report: dict[str, Any]) -> Figure:
    kinds = [result["kind"] for result in report["rows"][0]["results"]]
    figure, panels = make_panels(1, len(kinds), 4.8, 3.2)
    for index, (panel, kind) in enumerate(zip(panels, kinds, strict=True)):
        for place, row in enumerate(report["rows"]):
            change = row["results"][index]["change"]
            value, low, high = (100 * change[part] for part in ("value", "low", "high"))
            panel.errorbar(value, place, xerr=[[value - low], [high - value]], fmt="o", capsize=3)
        panel.axvline(0, color="#AAAAAA", linewidth=1)
        panel.set_yticks(range(len(report["rows"])), [row["method"] for row in report["rows"]])
        panel.set(xlabel="change of the mean corner error, %", title=kind)
        panel.invert_yaxis()
    return figure


_FIGURES = {
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
    "precision": _precision,
}
