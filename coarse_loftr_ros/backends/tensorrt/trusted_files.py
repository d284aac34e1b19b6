"""Files of the cache that nobody but the user or root could have written.

Run so far: with engines of TensorRT for RTX on machines without a GPU (tests).
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from coarse_loftr_ros.backends.tensorrt.manifest import ManifestError

__all__ = ["read_trusted"]

_MOST_BYTES = {".json": 1 << 20, ".check": 1 << 12}  # of any other file: 4 GiB


def read_trusted(path: Path) -> bytes:
    """A regular file that nobody but the user or root could have written.

    Raises:
        ManifestError: for any other.
        OSError: when it cannot be opened; ``FileNotFoundError`` when it is not there.
    """
    # Not a link to elsewhere; and a pipe must not block the one who opens it.
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    with os.fdopen(handle, "rb") as file:
        found = os.fstat(handle)
        if not stat.S_ISREG(found.st_mode):
            raise ManifestError(f"{path.name} is not a regular file")
        if found.st_uid not in (os.geteuid(), 0):
            raise ManifestError(f"{path.name} belongs to user {found.st_uid}")
        if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            mode = stat.S_IMODE(found.st_mode)
            raise ManifestError(f"{path.name} can be written by others (mode {mode:04o})")
        most = _MOST_BYTES.get(path.suffix, 4 << 30)
        if found.st_size > most:
            raise ManifestError(f"{path.name} has {found.st_size} bytes, more than {most}")
        return file.read()
