"""The report of a run: one HTML file that needs nothing else."""

from __future__ import annotations

import base64
from html import escape
from pathlib import Path
from typing import Any

import cv2

from coarse_loftr_lab.training.curves import Curve, plot
from coarse_loftr_lab.training.pictures import GOOD_PX, MOST_SHOWN_PX
from coarse_loftr_lab.training.run_folder import RunFolder
from coarse_loftr_ros.files.whole_files import whole_file

__all__ = ["write_report"]

# Title, unit, and the figures drawn together.
_DIAGRAMS: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("Loss", "", ("loss",)),
    ("Best cell is right or a neighbour", "share", ("coarse_recall",)),
    ("Best cell is right", "share", ("coarse_exact",)),
    ("Fine error, median", "px", ("fine_error_px",)),
    ("Coarse loss", "", ("coarse_loss",)),
    ("Fine loss", "", ("fine_loss",)),
    ("Distillation loss", "nats", ("distillation",)),
    ("Learning rate", "", ("learning_rate",)),
    ("Gradient norm before clipping", "", ("gradient_norm",)),
    ("Pairs per second", "", ("pairs_per_second",)),
    ("Time spent waiting for data", "share", ("waiting_share",)),
)
_TILES = (
    ("step", "steps", "{:g}"),
    ("coarse_recall", "best cell right or a neighbour", "{:.1%}"),
    ("coarse_exact", "best cell right", "{:.1%}"),
    ("fine_error_px", "fine error, median", "{:.2f} px"),
    ("loss", "validation loss", "{:.3f}"),
)
_PICTURES_SHOWN = 4

_STYLE = """
:root{color-scheme:light dark;--ink:#1c2430;--soft:#5b6676;--line:#dde3ea;--card:#fff;
--page:#f4f6f9;--a:#2563eb;--b:#d9730d}
@media(prefers-color-scheme:dark){:root{--ink:#e6eaf0;--soft:#98a3b3;--line:#323b47;--card:#1b2129;
--page:#12161c;--a:#6ea0ff;--b:#f5a04c}}
*{box-sizing:border-box}body{margin:0;background:var(--page);color:var(--ink);
font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
main{max-width:1180px;margin:0 auto;padding:28px 20px 60px}h1{font-size:26px;margin:0}
h2{font-size:18px;margin:34px 0 12px}p.sub{color:var(--soft);margin:4px 0 20px}
.row{display:flex;flex-wrap:wrap;gap:14px}.tile{flex:1 1 170px}
.curve{flex:1 1 340px;max-width:372px}
.card{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:14px}
.tile b{display:block;font-size:24px;font-weight:650}.tile span{color:var(--soft);font-size:13px}
svg{display:block;width:100%;height:auto}svg text{fill:var(--soft);font-size:11px}
svg .title{fill:var(--ink);font-size:13px;font-weight:600}svg .grid{stroke:var(--line)}
svg polyline{fill:none;stroke-width:1.6}svg .c0 polyline{stroke:var(--a)}
svg .c0 circle{fill:var(--a)}svg .c1 polyline{stroke:var(--b)}svg .c1 circle{fill:var(--b)}
svg text.c0{fill:var(--a)}
svg text.c1{fill:var(--b)}figure{margin:0 0 16px}
img{display:block;width:100%;max-width:860px;border-radius:6px}
figcaption{color:var(--soft);font-size:13px;margin:0 0 6px}table{border-collapse:collapse;
width:100%}td,th{text-align:left;padding:4px 10px 4px 0;border-bottom:1px solid var(--line);
vertical-align:top;font-size:13px;overflow-wrap:anywhere}th{font-weight:600;width:38%}
pre{margin:0;font-size:12.5px;overflow:auto;white-space:pre-wrap}
summary{cursor:pointer;color:var(--soft)}
"""


def write_report(folder: RunFolder) -> Path:
    """Write ``report.html`` into a run's folder: figures, curves, pictures, settings, versions.

    Works on a run that is still going.

    Returns:
        The file.

    Raises:
        FileNotFoundError: when the folder is not that of a run.
    """
    if not folder.settings.is_file():
        raise FileNotFoundError(f"{folder.path} is no run folder: it has no settings.yaml")
    training, validation = folder.lines("training.jsonl"), folder.lines("figures.jsonl")
    environment = folder.read("environment.json")
    final = folder.read("final.json")
    name = escape(folder.path.resolve().name)
    newest = validation[-1] if validation else {}
    state = "finished" if final else "still running or stopped"
    revision = escape(str(environment.get("revision", "unknown")))
    settings = escape(folder.settings.read_text())
    sections = [
        f"<h1>Training run {name}</h1>",
        f'<p class="sub">{state}, revision {revision}</p>',
        _tiles(newest),
        "<h2>Curves</h2>" + _diagrams(training, validation),
        "<h2>Matches on held-out photographs</h2>" + _pictures(folder.pictures),
        "<h2>Last validation</h2>" + _table(newest) if newest else "",
        "<h2>Environment</h2>" + _table(environment),
        f'<h2>Settings</h2><div class="card"><pre>{settings}</pre></div>',
    ]
    html = (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>Training run {name}</title><style>{_STYLE}</style></head>"
        f"<body><main>{''.join(sections)}</main></body></html>\n"
    )
    with whole_file(folder.report) as new:
        new.write_text(html)
    return folder.report


def _tiles(figures: dict[str, Any]) -> str:
    if not figures:
        return "<p>No validation yet.</p>"
    tiles = [
        f'<div class="card tile"><b>{form.format(figures[name])}</b><span>{text}</span></div>'
        for name, text, form in _TILES
        if figures.get(name) is not None
    ]
    return f'<div class="row">{"".join(tiles)}</div>'


def _diagrams(training: list[dict[str, Any]], validation: list[dict[str, Any]]) -> str:
    cards = []
    for title, unit, names in _DIAGRAMS:
        curves: list[Curve] = []
        for source, lines in (("training", training), ("validation", validation)):
            for name in names:
                known = [line for line in lines if line.get(name) is not None]
                if known:
                    x = [line["step"] for line in known]
                    curves.append((source, x, [line[name] for line in known]))
        if curves:
            cards.append(f'<div class="card curve">{plot(title, curves, unit)}</div>')
    note = (
        '<p class="sub">Training: means of the steps between two lines of the log, on pairs of the '
        "curriculum. Validation: the averaged weights on fixed pairs of held-out photographs.</p>"
    )
    return note + f'<div class="row">{"".join(cards)}</div>'


def _pictures(folder: Path) -> str:
    """The newest picture, and some before it, evenly from the first on."""
    paths = sorted(folder.glob("step_*.png"))
    if not paths:
        return "<p>None yet.</p>"
    note = (
        '<p class="sub">Reference left, current view right; a line joins the centres of two mutual '
        f"best cells. Green: within {GOOD_PX:g} px of the truth. Red: {MOST_SHOWN_PX:g} px or more "
        "away. Grey: truth not known there, or hidden in the current view.</p>"
    )
    earlier = paths[:-1]
    count = min(_PICTURES_SHOWN - 1, len(earlier))
    chosen = [earlier[i * len(earlier) // count] for i in range(count)]
    figures = [_figure(path) for path in (paths[-1], *reversed(chosen))]
    older = "".join(figures[1:])
    if older:
        older = f"<details><summary>Earlier in the run</summary>{older}</details>"
    return note + f'<div class="card">{figures[0]}{older}</div>'


def _figure(path: Path) -> str:
    """A picture within the page, as JPEG: a fifth of the PNG's size."""
    _, coded = cv2.imencode(".jpg", cv2.imread(str(path)), [cv2.IMWRITE_JPEG_QUALITY, 85])
    data = base64.b64encode(coded).decode()
    step = int(path.stem.removeprefix("step_"))
    return (
        f"<figure><figcaption>step {step}</figcaption>"
        f'<img alt="matches at step {step}" src="data:image/jpeg;base64,{data}"></figure>'
    )


def _table(values: dict[str, Any]) -> str:
    rows = []
    for name, value in values.items():
        if isinstance(value, dict):
            value = ", ".join(f"{key} {item}" for key, item in value.items())
        rows.append(f"<tr><th>{escape(name)}</th><td>{escape(str(value))}</td></tr>")
    return f'<div class="card"><table>{"".join(rows)}</table></div>'
