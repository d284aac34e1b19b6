"""Sizes of JPEG and PNG files by what is in them, and whether they are whole.

Only headers are looked at, so that nothing is decoded for it. What lies behind a file's end (tools
and cameras add previews and notes) does not matter.
"""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import NDArray

__all__ = ["PNG_MAGIC", "jpeg_size", "png_size"]

PNG_MAGIC = b"\x89PNG\r\n\x1a\n"

# Within a scan, 0xFF stands before 0 and before restart markers; several may stand in a row.
_MARKER = re.compile(rb"\xff([^\x00\x01\xd0-\xd7\xff])")
_START, _END, _SCAN = 0xD8, 0xD9, 0xDA
_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}


def png_size(data: NDArray[np.uint8]) -> tuple[int, int] | None:
    """Width and height of a PNG, px; ``None`` when it ends before its last chunk.

    Args:
        data: bytes of the file, uint8 [N].
    """
    view = memoryview(data)
    offset, size = len(PNG_MAGIC), None
    while offset + 12 <= len(view):
        length = int.from_bytes(view[offset : offset + 4], "big")
        kind = bytes(view[offset + 4 : offset + 8])
        if offset + 12 + length > len(view):
            return None
        if kind == b"IHDR" and length >= 8:
            body = view[offset + 8 :]
            size = int.from_bytes(body[:4], "big"), int.from_bytes(body[4:8], "big")
        elif kind == b"IEND":
            return size
        offset += 12 + length
    return None


def jpeg_size(data: NDArray[np.uint8]) -> tuple[int, int] | None:
    """Width and height of a JPEG, px; ``None`` when it ends before its last scan does.

    Args:
        data: bytes of the file, uint8 [N].
    """
    view = memoryview(data)
    offset, size, scanned = 0, None, False
    while found := _MARKER.search(view, offset):
        code, offset = found[1][0], found.end()
        if code == _START:
            continue
        if code == _END:
            return size if scanned else None
        length = int.from_bytes(view[offset : offset + 2], "big")
        if code in _FRAMES and offset + 7 <= len(view):
            height, width = view[offset + 3 : offset + 5], view[offset + 5 : offset + 7]
            size = int.from_bytes(width, "big"), int.from_bytes(height, "big")
        scanned |= code == _SCAN
        offset += length
    return None
