"""Files that whole commands read."""

from __future__ import annotations

import shutil
from pathlib import Path

from coarse_loftr_ros.commands import cli
from coarse_loftr_ros.commands.common.errors import UserError
from coarse_loftr_ros.recordings.trajectories.files import kitti_text
from damaged_files.content import trajectory
from damaged_files.images import make_images
from damaged_files.sequences import make_kitti

__all__ = ["make_match", "make_odometry", "run_match", "run_odometry", "run_replay"]


def _run(*words: object) -> bool:
    """Run a command in this process; what it refuses with a sentence ends with code 2."""
    code = cli.main([str(word) for word in words])
    if code == cli.EXIT_USER_ERROR:
        raise UserError("said on stderr")
    return code != 0


def run_replay(path: Path) -> bool:
    """``coarse-loftr replay``."""
    output = path.with_name("replayed.mcap")
    return _run("replay", path, "--topic", "/image", "-o", output, "--force", "--threads", 1)


def run_match(path: Path) -> bool:
    """``coarse-loftr match``."""
    return _run("match", path.with_name("whole.png"), path, "--threads", 1)


def make_match(folder: Path) -> list[Path]:
    """Images, and a whole one to match them with."""
    files = make_images(folder)
    shutil.copyfile(folder / "grey.png", folder / "whole.png")
    return files


def make_odometry(root: Path) -> list[Path]:
    """A KITTI sequence with its poses."""
    files = make_kitti(root)
    (root / "poses.txt").write_text("".join(kitti_text(trajectory()).splitlines(True)[:2]))
    return [*files, root / "poses.txt"]


def run_odometry(path: Path) -> bool:
    """``coarse-loftr odometry``."""
    root = path.parent
    output = ("-o", root / "path", "--json", root / "path.json", "--threads", 1)
    return _run("odometry", root, "--mode", "stereo", *output)
