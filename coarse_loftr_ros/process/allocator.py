"""Which freed memory goes back to the system, and when.

All are requests to glibc's malloc (``malloc.h``); other C libraries are left as they are.
"""

from __future__ import annotations

import ctypes
import os

__all__ = ["keep_freed", "limit_arenas", "trim"]

_M_TRIM_THRESHOLD = -1
_M_MMAP_THRESHOLD = -3
_M_ARENA_MAX = -8
_ARENAS = 2
_MOST_KEPT = 64 * 2**20
_MOST_ON_HEAP = 32 * 2**20  # glibc takes no more


def limit_arenas() -> bool:
    """Let all threads share two arenas; whether that could be done.

    glibc gives each new thread an arena of its own, up to eight per core, and what is freed in one
    serves no other: a node whose worker and runtime start their threads anew (a round of cleanup
    and configure, another image size) fills them one after the other, 30 MB in twenty rounds.
    Whoever sets ``MALLOC_ARENA_MAX``, or glibc's tunable, has decided already.
    """
    return _set(_M_ARENA_MAX, _ARENAS, "ARENA_MAX")


def keep_freed() -> bool:
    """Let what one image's arrays took serve the next one's; whether that could be done.

    glibc gives freed memory back as soon as a few megabytes of it lie together, and the next image
    asks for it again, page by page: a quarter of the time of a frame of 1280x960, and by chance of
    the addresses none or a seventh of that of 640x480. Up to 64 MiB are kept, until ``trim``.
    Whoever sets ``MALLOC_TRIM_THRESHOLD_`` or ``MALLOC_MMAP_THRESHOLD_``, or glibc's tunables, has
    decided already.
    """
    names = "TRIM_THRESHOLD_", "MMAP_THRESHOLD_"
    if not _set(_M_MMAP_THRESHOLD, _MOST_ON_HEAP, *names):
        return False  # where it is too much (32 bits) glibc's own rule for both stays
    return _set(_M_TRIM_THRESHOLD, _MOST_KEPT, *names)


def _set(option: int, value: int, *names: str) -> bool:
    """Unless the environment has set one of ``names``, those of glibc's variables."""
    tunables = os.environ.get("GLIBC_TUNABLES", "")
    for name in names:
        if f"MALLOC_{name}" in os.environ:
            return False
        if f"glibc.malloc.{name.lower().rstrip('_')}=" in tunables:
            return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError):
        return False
    return mallopt(option, value) == 1


def trim() -> bool:
    """Give free pages back, also those between others in use; whether there were any."""
    try:
        malloc_trim = ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError):
        return False
    return malloc_trim(0) == 1
