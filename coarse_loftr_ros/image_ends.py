"""Whether JPEG and PNG files are whole, without decoding them.

What lies behind the end of a file (tools and cameras add previews and notes) does not matter.
"""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import NDArray

__all__ = ["PNG_MAGIC", "jpeg_is_whole", "png_is_whole"]

PNG_MAGIC = b"\x89PNG\r\n\x1a\n"

# Within a scan, 0xFF stands before 0 and before restart markers; several may stand in a row.
_MARKER = re.compile(rb"\xff([^\x00\x01\xd0-\xd7\xff])")
_START, _END, _SCAN = 0xD8, 0xD9, 0xDA


def png_is_whole(data: NDArray[np.uint8]) -> bool:
    """Whether a PNG, uint8 [N], has its last chunk."""
    view = memoryview(data)
    offset = len(PNG_MAGIC)
    while offset + 12 <= len(view):
        end = offset + 12 + int.from_bytes(view[offset : offset + 4], "big")
        if view[offset + 4 : offset + 8] == b"IEND":
            return end <= len(view)
        offset = end
    return False


def jpeg_is_whole(data: NDArray[np.uint8]) -> bool:
    """Whether a JPEG, uint8 [N], has an end behind a scan; that of a thumbnail in it is none."""
    view = memoryview(data)
    offset, scanned = 0, False
    while found := _MARKER.search(view, offset):
        code, offset = found[1][0], found.end()
        if code == _END:
            return scanned
        if code != _START:
            scanned |= code == _SCAN
            offset += int.from_bytes(view[offset : offset + 2], "big")
    return False
