"""What the measuring commands share: baselines, progress, and where the report goes."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coarse_loftr_ros.tools.errors import UserError

if TYPE_CHECKING:
    from coarse_loftr_ros.evaluation.methods import BaselineWeights

__all__ = ["add_report_options", "baseline_weights", "environment", "progress_bar", "write_report"]


def add_report_options(parser: argparse.ArgumentParser) -> None:
    """Add the options about baselines and the report."""
    group = parser.add_argument_group("comparison and report")
    group.add_argument(
        "--weights",
        type=Path,
        metavar="DIR",
        help="folder with the baselines' networks: coarse_loftr_trt/LoFTR_teacher.onnx and "
        "xfeat/xfeat.onnx; without it (or where a file is missing) their rows are left out",
    )
    group.add_argument(
        "--json", type=Path, metavar="FILE", help="also write every figure to this file"
    )


def baseline_weights(args: argparse.Namespace) -> BaselineWeights:
    """The files of ``--weights``.

    Raises:
        UserError: when the folder does not exist.
    """
    from coarse_loftr_ros.evaluation.methods import BaselineWeights

    if args.weights is None:
        return BaselineWeights()
    if not args.weights.is_dir():
        raise UserError(f"--weights: there is no folder {args.weights}")
    return BaselineWeights.below(args.weights)


def progress_bar(description: str) -> Callable[..., None]:
    """A callback (done, all, what) that draws a bar with the time that is left on stderr."""
    from tqdm import tqdm

    bar = tqdm(desc=description, unit="step", leave=False)

    def show(done: int, total: int, what: str = "") -> None:
        bar.total = total
        bar.set_postfix_str(what, refresh=False)
        bar.update(done - bar.n)
        if done == total:
            bar.close()

    return show


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
    if path is None:
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(report, indent=1) + "\n")
    except OSError as error:
        raise UserError(f"{path} cannot be written: {error.strerror}") from error
