"""Every sub-command of ``coarse-loftr``, and the command line that they make up."""

from __future__ import annotations

import argparse

from coarse_loftr_ros import __version__
from coarse_loftr_ros.tools import (
    bag,
    benchmark,
    calibrate,
    demo,
    engine,
    evaluate,
    export,
    live,
    match,
    odometry,
    quantize,
    register,
    replay,
    report,
    results,
    train,
)

__all__ = ["COMMANDS", "make_parser"]

COMMANDS = (
    demo,
    match,
    register,
    live,
    replay,
    odometry,
    bag,
    evaluate,
    benchmark,
    results,
    train,
    report,
    export,
    calibrate,
    quantize,
    engine,
)


def make_parser() -> argparse.ArgumentParser:
    """The parser of the whole command line."""
    parser = argparse.ArgumentParser(
        prog="coarse-loftr",
        description="Detector-free image matching: try it, run it on files, train and measure it.",
    )
    parser.add_argument("--version", action="version", version=f"coarse_loftr_ros {__version__}")
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for command in COMMANDS:
        command.add_parser(subparsers).set_defaults(run=command.run)
    return parser
