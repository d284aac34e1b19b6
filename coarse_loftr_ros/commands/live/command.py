"""``coarse-loftr live``: matches of a camera or a video, while they are made."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coarse_loftr_ros.commands.common.errors import UserError, as_user_error
from coarse_loftr_ros.commands.common.options import (
    add_pipeline_options,
    make_pipeline,
    make_policy,
    size,
)

if TYPE_CHECKING:
    from coarse_loftr_ros.commands.live.capture import Capture
    from coarse_loftr_ros.commands.live.session import LiveSession

__all__ = ["add_parser", "run"]


def add_parser(subparsers: Any) -> argparse.ArgumentParser:
    """Add the command."""
    parser = subparsers.add_parser(
        "live",
        help="match a camera or a video while you watch",
        description="Match a camera or a video with a keyframe and show matches, the keyframe's "
        "outline, status, images per second and latency (from the arrival of an image until its "
        "picture is shown). Keys: k makes the newest image the keyframe, space pauses, s saves "
        "the picture, q or Escape quits. Without a window (--headless) every image of a video is "
        "matched, and of a camera as many as there is time for.",
    )
    parser.add_argument(
        "source",
        metavar="CAMERA|VIDEO",
        help="number of a camera (0), a device (/dev/video0), a URL (rtsp://...), or a video file",
    )
    parser.add_argument(
        "--headless",
        type=Path,
        metavar="OUT.mp4",
        help="write the pictures to a video instead of a window: MPEG-4, or Motion JPEG when the "
        "name ends with .avi or OpenCV has no MPEG-4",
    )
    parser.add_argument(
        "--seconds", type=float, metavar="S", help="stop after this time (default: never)"
    )
    parser.add_argument(
        "--size", type=size, metavar="WxH", help="size to ask of a camera (default: its own)"
    )
    parser.add_argument(
        "--snapshots",
        type=Path,
        default=Path(),
        metavar="DIR",
        help="folder for pictures saved with s (default: the current one)",
    )
    parser.add_argument(
        "--pairing",
        choices=("keyframe", "consecutive"),
        default="keyframe",
        help="what each image is matched with (default: %(default)s)",
    )
    add_pipeline_options(parser)
    return parser


def run(args: argparse.Namespace) -> int:
    """Match, and show or write."""
    from coarse_loftr_ros.backends.base import BackendError
    from coarse_loftr_ros.commands.live.capture import open_capture
    from coarse_loftr_ros.commands.live.session import LiveSession
    from coarse_loftr_ros.commands.live.window import KEYS, check_window, show

    if args.seconds is not None and not args.seconds > 0:
        raise UserError(f"--seconds is {args.seconds}; it must be positive")
    if args.headless is None:
        check_window()
    elif args.headless.suffix.lower() not in (".mp4", ".avi"):
        raise UserError(f"--headless is {args.headless}; its name must end with .mp4 or .avi")
    with (
        as_user_error(BackendError),
        open_capture(args.source, args.size, paced=args.headless is None) as capture,
    ):
        session = LiveSession(
            capture,
            lambda size: make_pipeline(args, make_policy(args), size, _say),
            args.seconds,
            KEYS if args.headless is None else args.source,
        )
        try:
            if args.headless is None:
                show(session, args.snapshots)
            else:
                print(f"written: {_write(args.headless, session, capture)}")
        finally:
            if session.latencies_ms:
                print(_table(session, args.source))
    return 0


def _write(path: Path, session: LiveSession, capture: Capture) -> Path:
    """Write the pictures to a video; of those of another size than the first, none."""
    from coarse_loftr_ros.commands.common.video import write_video

    if path.is_dir():
        raise UserError(f"--headless: {path} is a folder")
    pictures = session.pictures()
    first = next(pictures, None)
    if first is None:
        raise UserError("the video has no image")

    def same_size() -> Any:
        yield first
        yield from (picture for picture in pictures if picture.shape == first.shape)

    return write_video(path, same_size(), (first.shape[1], first.shape[0]), capture.rate)


def _table(session: LiveSession, source: str) -> str:
    from statistics import median

    from coarse_loftr_ros.commands.common.table import two_columns

    count = {name: session.status[name] for name in ("OK", "DEGRADED", "LOST")}
    rows = [
        ("images", str(session.images)),
        (" / ".join(count), " / ".join(map(str, count.values()))),
        ("latency, median", f"{median(session.latencies_ms):.1f} ms"),
        ("images per second", f"{len(session.latencies_ms) / session.seconds:.1f}"),
    ]
    return two_columns(rows, source)


def _say(sentence: str) -> None:
    print(sentence, file=sys.stderr)
