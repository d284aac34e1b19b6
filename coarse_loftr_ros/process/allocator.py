"""Memory that is given back goes back to the system, whatever threads come and go.

Both are requests to glibc's malloc (``malloc.h``); other C libraries are left as they are.
"""

from __future__ import annotations

import ctypes
import os

__all__ = ["limit_arenas", "trim"]

_M_ARENA_MAX = -8
_ARENAS = 2


def limit_arenas() -> bool:
    """Let all threads share two arenas; whether that could be done.

    glibc gives each new thread an arena of its own, up to eight per core, and what is freed in one
    serves no other: a node whose worker and runtime start their threads anew (a round of cleanup
    and configure, another image size) fills them one after the other, 30 MB in twenty rounds.
    Whoever sets ``MALLOC_ARENA_MAX`` has decided already.
    """
    if "MALLOC_ARENA_MAX" in os.environ:
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError):
        return False
    return mallopt(_M_ARENA_MAX, _ARENAS) == 1


def trim() -> bool:
    """Give free pages back, also those between others in use; whether there were any."""
    try:
        malloc_trim = ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError):
        return False
    return malloc_trim(0) == 1
