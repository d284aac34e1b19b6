"""Options that choose the images of a recording, a video or a folder."""

from __future__ import annotations

import argparse
import re

from coarse_loftr_ros.commands.common.errors import UserError

__all__ = ["add_source_options", "add_strict_option", "check_topic_name", "chosen_streams"]

_MOST_RATE = 10_000.0  # Hz
_MOST_TOLERANCE_MS = 1e6


def add_source_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that choose images of a recording, a video or a folder."""
    parser.add_argument("--topic", help="the image topic (default: the only one there is)")
    parser.add_argument("--left", help="stereo: left topic, or left sub-folder of a folder")
    parser.add_argument("--right", help="stereo: right topic or sub-folder")
    parser.add_argument(
        "--tolerance-ms",
        type=float,
        default=5.0,
        metavar="MS",
        help="stereo: largest difference of the stamps of a pair (default: %(default)s)",
    )
    parser.add_argument(
        "--pairing",
        choices=("consecutive", "keyframe"),
        default="consecutive",
        help="what each image is matched with (default: %(default)s)",
    )
    parser.add_argument(
        "--rate",
        type=float,
        default=30.0,
        metavar="HZ",
        help="images per second of a folder or video without times (default: %(default)s)",
    )
    add_strict_option(parser)


def add_strict_option(parser: argparse.ArgumentParser) -> None:
    """Add the option that makes one bad image refuse its recording."""
    parser.add_argument(
        "--strict",
        action="store_true",
        help="refuse a recording of which an image, a stamp or a camera_info cannot be used; "
        "without it they are left out, counted and named",
    )


def chosen_streams(args: argparse.Namespace) -> list[str | None]:
    """Topic, or left and right one, of ``add_source_options``.

    Raises:
        UserError: when the options contradict each other or have a bad value.
    """
    stereo = args.left is not None or args.right is not None
    if stereo and (args.left is None or args.right is None or args.topic is not None):
        raise UserError("stereo needs both --left and --right, and no --topic")
    if not 0 < args.rate <= _MOST_RATE:
        raise UserError(f"--rate is {args.rate}; it must be above 0 and at most {_MOST_RATE:g}")
    if not 0 <= args.tolerance_ms <= _MOST_TOLERANCE_MS:
        raise UserError(
            f"--tolerance-ms is {args.tolerance_ms}; it must be 0 to {_MOST_TOLERANCE_MS:g}"
        )
    return [args.left, args.right] if stereo else [args.topic]


def check_topic_name(option: str, name: str) -> None:
    """Refuse what ROS does not take for the name of a topic or node, or of a part of it.

    Raises:
        UserError: naming the option.
    """
    if not re.fullmatch(r"/?[A-Za-z_][A-Za-z0-9_]*(/[A-Za-z_][A-Za-z0-9_]*)*/?", name):
        raise UserError(
            f"{option} is '{name}'; a name has letters, digits and _, does not begin with a "
            "digit, and / between its parts"
        )
