"""Files that appear whole: what had the name before stays until the new one is complete.

A program that is killed, or a disk that is full, then costs the new file and not the old one too.
"""

from __future__ import annotations

import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

__all__ = ["move_over", "whole_file", "whole_files"]


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Write a file beside its place, and give it its name when the block ends without an error.

    Args:
        path: of the file, or of the one behind a link. What is neither a file nor free, such as
            a terminal or a pipe, has nothing to be kept and is written as it is.

    Yields:
        What to write: a name in the same folder with the same ending.

    Raises:
        OSError: when the file cannot be written or moved.
    """
    if path.exists() and not path.is_file():
        yield path
        return
    path = path.resolve()
    new = path.with_name(f".{secrets.token_hex(6)}{path.suffix}")
    try:
        yield new
        if path.exists():
            shutil.copymode(path, new)
        _to_disk(new)
        new.replace(path)
    finally:
        new.unlink(missing_ok=True)


@contextmanager
def whole_files(folder: Path) -> Iterator[Path]:
    """Write files that belong together, and move them to their folder when all are complete.

    They are moved in the order of their names, other files of the folder stay.

    Args:
        folder: made where it does not exist.

    Yields:
        The folder to write them in.

    Raises:
        OSError: when they cannot be written or moved.
    """
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with tempfile.TemporaryDirectory(prefix=".new.", dir=folder) as name:
            yield Path(name)
            for file in sorted(Path(name).iterdir()):
                _to_disk(file)
                file.replace(folder / file.name)
    finally:
        with suppress(OSError):
            folder.rmdir()  # where nothing is in it after an error


def move_over(new: Path, path: Path, aside: Path) -> None:
    """Give a complete file or folder a name that another may have.

    Args:
        new: what is moved.
        path: its name from now on.
        aside: where what had the name goes, if that is a folder or becomes one; a file makes place
            for a file in one step.

    Raises:
        OSError: when it cannot be moved; what had the name then has it still.
    """
    if not (new.is_dir() or path.is_dir()):
        _to_disk(new)
        new.replace(path)
        return
    taken = path.exists()
    if taken:
        path.rename(aside)
    try:
        new.rename(path)
    except OSError:
        if taken:
            aside.rename(path)
        raise


def _to_disk(path: Path) -> None:
    """Wait until a file is stored, or a power cut could leave its name with nothing in it."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
