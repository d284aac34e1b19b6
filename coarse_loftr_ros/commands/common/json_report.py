"""Reports as JSON files, with the environment that figures depend on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from coarse_loftr_ros.commands.common.errors import writing

__all__ = ["environment", "write_report"]


def environment(threads: int) -> dict[str, Any]:
    """What a figure depends on besides the code."""
    import os
    import platform

    import cv2
    import numpy as np

    from coarse_loftr_ros import __version__

    return {
        "version": __version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "opencv": cv2.__version__,
        "cpus": os.cpu_count(),
        "threads": threads or os.cpu_count(),
    }


def write_report(path: Path | None, report: dict[str, Any]) -> None:
    """Write the JSON file of ``--json``.

    Raises:
        UserError: when it cannot be written.
    """
    from coarse_loftr_ros.files.json_text import json_text

    if path is None:
        return
    with writing(path) as new:
        new.write_text(json_text(report) + "\n")
