"""The option ``--plot``: refused before the work where no picture could come of it."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from coarse_loftr_ros.commands.common.errors import UserError

__all__ = ["PLOTS", "check_plot"]

PLOTS = "pip install 'coarse_loftr_ros[plots]'"
"""What brings matplotlib."""


def check_plot(path: Path) -> None:
    """Refuse to draw without matplotlib, or under a name that no picture can have.

    Raises:
        UserError: saying what is needed or allowed.
    """
    if find_spec("matplotlib") is None:
        raise UserError(f"--plot needs matplotlib: {PLOTS}")
    from matplotlib.backend_bases import FigureCanvasBase

    kinds = FigureCanvasBase.get_supported_filetypes()
    if path.suffix.lower().lstrip(".") not in kinds:
        raise UserError(f"--plot is {path}; its name must end with .png, or .{', .'.join(kinds)}")
