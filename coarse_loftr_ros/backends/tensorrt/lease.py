"""A lock on an engine's file while it is in use, so that no process removes it.

Run so far: with engines of TensorRT for RTX on machines without a GPU (tests).
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

__all__ = ["Lease"]

_FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK


class Lease:
    """Says to all processes that a file is in use, until it is released or its holder dies.

    Args:
        path: of the file.
        mode: of the lock on it, for ``fcntl.flock``.

    Raises:
        OSError: when there is no such file, its file system has no locks, or it is in use and
            ``mode`` asks to have it alone.
    """

    def __init__(self, path: Path, mode: int = fcntl.LOCK_SH) -> None:
        self._handle = os.open(path, _FLAGS)
        try:
            fcntl.flock(self._handle, mode | fcntl.LOCK_NB)
        except OSError:
            os.close(self._handle)
            self._handle = -1
            raise

    def __del__(self) -> None:
        if getattr(self, "_handle", -1) >= 0:
            os.close(self._handle)

    @classmethod
    def held(cls, path: Path) -> bool:
        """Whether anybody uses a file; also where that cannot be found out."""
        try:
            cls(path, fcntl.LOCK_EX)
        except OSError:
            return True
        return False
