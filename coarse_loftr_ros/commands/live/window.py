"""A window that shows the pictures of a live session, and its keys."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import cv2

from coarse_loftr_ros.commands.common.errors import UserError
from coarse_loftr_ros.commands.common.images import write_image
from coarse_loftr_ros.commands.live.session import LiveSession

__all__ = ["KEYS", "check_window", "show", "window_size"]

KEYS = "k keyframe  space pause  s snapshot  q quit"
_TITLE = "coarse-loftr live"
_QUIT = (ord("q"), 27)  # 27 is Escape
_PAUSED_MS = 30
_WIDEST_PX, _HIGHEST_PX = 1280, 800  # of the window at first; the user may change it


def check_window() -> None:
    """Refuse to begin where no window can be opened.

    Raises:
        UserError: saying what is missing.
    """
    instead = "or use --headless OUT.mp4"
    if not _has_windows():
        raise UserError(
            "this OpenCV has no windows: pip uninstall opencv-python-headless, then "
            f"pip install opencv-python, {instead}"
        )
    # Without a display the window library ends the process instead of failing.
    if sys.platform == "linux" and not {"DISPLAY", "WAYLAND_DISPLAY"} & set(os.environ):
        raise UserError(f"there is no display (DISPLAY is not set): log in at a desktop, {instead}")


def show(session: LiveSession, snapshots: Path) -> None:
    """Show pictures until they end, or the user quits or closes the window.

    Args:
        session: that draws them.
        snapshots: folder of the pictures that the user keeps.

    Raises:
        UserError: when a camera gives no more images, or a snapshot cannot be written.
    """
    # Without Qt's buttons, which would take the room that the picture needs.
    cv2.namedWindow(_TITLE, cv2.WINDOW_NORMAL | cv2.WINDOW_KEEPRATIO | cv2.WINDOW_GUI_NORMAL)
    first = True
    try:
        for picture in session.pictures():
            if first:
                cv2.resizeWindow(_TITLE, *window_size(picture.shape[1], picture.shape[0]))
                first = False
            cv2.imshow(_TITLE, picture)
            key = _wait(1)
            if key == ord(" "):
                session.leave_untimed()
                key = _pause()
            if key == ord("k"):
                session.set_keyframe()
            elif key == ord("s"):
                path = _free_name(snapshots)
                write_image(path, picture)
                print(f"written: {path}")
            if key in _QUIT or cv2.getWindowProperty(_TITLE, cv2.WND_PROP_VISIBLE) < 1:
                return
    finally:
        cv2.destroyAllWindows()


def window_size(width: int, height: int) -> tuple[int, int]:
    """The picture's size, px, or what fits a small screen."""
    scale = min(1.0, _WIDEST_PX / width, _HIGHEST_PX / height)
    return max(1, round(width * scale)), max(1, round(height * scale))


def _has_windows() -> bool:
    """Whether OpenCV was built with a window library."""
    lines = cv2.getBuildInformation().splitlines()
    gui = next((line.split(":")[1] for line in lines if line.strip().startswith("GUI:")), "NONE")
    return "NONE" not in gui


def _wait(milliseconds: int) -> int:
    """The key that is pressed within this time; -1 for none."""
    key = cv2.waitKey(milliseconds)
    return key & 0xFF if key >= 0 else -1


def _pause() -> int:
    """Wait for the key that ends the pause; space becomes no key."""
    while True:
        key = _wait(_PAUSED_MS)
        if key >= 0:
            return -1 if key == ord(" ") else key
        if cv2.getWindowProperty(_TITLE, cv2.WND_PROP_VISIBLE) < 1:
            return _QUIT[0]


def _free_name(folder: Path) -> Path:
    number = 1
    while (path := folder / f"snapshot_{number:03d}.png").exists():
        number += 1
    return path
