"""Every sub-command of ``coarse-loftr``, and the command line that they make up."""

from __future__ import annotations

import argparse
from importlib.metadata import EntryPoints, entry_points
from typing import NoReturn

from coarse_loftr_ros import __version__
from coarse_loftr_ros.commands import bag, engine, match, register
from coarse_loftr_ros.commands.demo import command as demo
from coarse_loftr_ros.commands.fleet import command as fleet
from coarse_loftr_ros.commands.live import command as live
from coarse_loftr_ros.commands.odometry import command as odometry
from coarse_loftr_ros.commands.replay import command as replay

__all__ = ["COMMANDS", "installed_commands", "make_parser"]

COMMANDS = (demo, match, register, live, replay, odometry, fleet, bag, engine)
"""The commands of this package."""


def installed_commands() -> EntryPoints:
    """The commands of other packages: modules like those here, under ``coarse_loftr.commands``."""
    return entry_points(group="coarse_loftr.commands")


def make_parser() -> argparse.ArgumentParser:
    """The parser of the whole command line."""
    parser = _Parser(
        prog="coarse-loftr",
        description="Detector-free image matching: try it, run it on files, train and measure it.",
    )
    parser.add_argument("--version", action="version", version=f"coarse_loftr_ros {__version__}")
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for command in (*COMMANDS, *(entry.load() for entry in installed_commands())):
        command.add_parser(subparsers).set_defaults(run=command.run)
    return parser


class _Parser(argparse.ArgumentParser):
    """Says where commands come from that are not installed."""

    def error(self, message: str) -> NoReturn:
        if message.startswith("argument COMMAND: invalid choice") and not installed_commands():
            message += (
                "; commands that train, export, quantise and measure come with coarse_loftr_lab: "
                "pip install ./lab in a checkout"
            )
        super().error(message)
