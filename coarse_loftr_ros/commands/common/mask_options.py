"""Options that leave out what moves."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from coarse_loftr_ros.commands.common.errors import UserError, as_user_error

if TYPE_CHECKING:
    from coarse_loftr_ros.detection.masks import DetectorMasks
    from coarse_loftr_ros.recordings.source import SourceImage

__all__ = ["add_mask_options", "add_motion_mask_option", "make_masks", "with_masks"]


def add_mask_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that leave out what moves, as the mask node does it."""
    parser.add_argument(
        "--mask-detector",
        type=Path,
        metavar="FILE",
        help="leave out what this detector finds; FILE describes it (docs/masks.md)",
    )
    parser.add_argument(
        "--mask-classes",
        default="",
        metavar="NAMES",
        help="what is left out, with commas (default: what the description calls moving)",
    )


def add_motion_mask_option(parser: argparse.ArgumentParser) -> None:
    """Add the option that leaves out what moves, as the matcher's ``motion_mask`` does it."""
    parser.add_argument(
        "--motion-mask",
        action="store_true",
        help="leave out what contradicts the motion of the rest in several images running, "
        "whatever it is (docs/masks.md)",
    )


def with_masks(args: argparse.Namespace, images: Iterable[SourceImage]) -> Iterable[SourceImage]:
    """The images, with masks where a detector was named.

    Raises:
        UserError: when it cannot be used.
    """
    if args.mask_detector is None:
        if args.mask_classes:
            raise UserError("--mask-classes is what --mask-detector looks for; give both")
        return images
    from coarse_loftr_ros.detection.description import DetectorError
    from coarse_loftr_ros.recordings.masking import masked

    masks = make_masks(args)

    def leaving_out() -> Iterator[SourceImage]:
        with as_user_error(DetectorError):
            yield from masked(images, masks)

    return leaving_out()


def make_masks(args: argparse.Namespace) -> DetectorMasks:
    """The masks of the detector that was named.

    Raises:
        UserError: when it cannot be used.
    """
    from coarse_loftr_ros.detection.description import DetectorError
    from coarse_loftr_ros.detection.description_file import load_description
    from coarse_loftr_ros.detection.detector import Detector, DetectorSettings
    from coarse_loftr_ros.detection.masks import DetectorMasks

    names = tuple(name.strip() for name in args.mask_classes.split(",") if name.strip())
    with as_user_error(DetectorError):
        settings = DetectorSettings(names)
        return DetectorMasks(Detector(load_description(args.mask_detector), settings))
