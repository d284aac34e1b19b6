"""``index.html`` of a fleet: one file that needs neither network nor other files."""

from __future__ import annotations

import base64
import gzip
import json
from importlib.resources import files
from pathlib import Path
from typing import Any

from coarse_loftr_ros.files.whole_files import whole_file
from coarse_loftr_ros.fleet.folder import FleetFolder
from coarse_loftr_ros.fleet.manifest import Manifest
from coarse_loftr_ros.fleet.report.data import report_data

__all__ = ["write_report"]


def write_report(folder: FleetFolder, manifest: Manifest) -> Path:
    """Write the report of what there is, also of a fleet that is not complete.

    Data and plotly.js are compressed; the browser unpacks them (``DecompressionStream``: Chromium
    80, Firefox 113, Safari 16.4).

    Returns:
        The file.

    Raises:
        FleetError: when a result is damaged.
        OSError: when it cannot be written.
    """
    parts = files(__package__)
    page = (
        parts.joinpath("page.html")
        .read_text("utf-8")
        .replace("/*style*/", parts.joinpath("page.css").read_text("utf-8"))
        .replace("/*script*/", parts.joinpath("page.js").read_text("utf-8"))
        .replace("<!--data-->", _packed(_json(report_data(folder, manifest))))
        .replace("<!--plotly-->", _packed(_plotly()))
    )
    with whole_file(folder.report) as new:
        new.write_text(page, "utf-8")
    return folder.report


def _plotly() -> bytes:
    """The library that draws, as its Python package has it."""
    return files("plotly").joinpath("package_data", "plotly.min.js").read_bytes()


def _json(data: dict[str, Any]) -> bytes:
    return json.dumps(data, separators=(",", ":")).encode()


def _packed(data: bytes) -> str:
    """Text of base64, which needs no escaping in HTML; the same for the same data."""
    return base64.b64encode(gzip.compress(data, 9, mtime=0)).decode()
