"""``coarse-loftr report``: the report of a training run as one HTML file."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from coarse_loftr_ros.commands.common.errors import as_user_error

__all__ = ["add_parser", "run"]


def add_parser(subparsers: Any) -> argparse.ArgumentParser:
    """Add the command."""
    parser = subparsers.add_parser(
        "report",
        help="write a training run's report",
        description="Write report.html into a run folder: curves, sample matches, settings, "
        "revision and versions in one file. A finished run has it already; this also works while "
        "a run is going.",
    )
    parser.add_argument("folder", type=Path, help="run folder")
    return parser


def run(args: argparse.Namespace) -> int:
    """Write it."""
    from coarse_loftr_lab.commands.train import require_torch

    require_torch()
    from coarse_loftr_lab.training.html_report import write_report
    from coarse_loftr_lab.training.run_folder import RunFolder

    with as_user_error(FileNotFoundError):
        print(write_report(RunFolder(args.folder)))
    return 0
