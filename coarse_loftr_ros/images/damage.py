"""Whether the bytes of a JPEG or PNG can be what they say, looked at before they are decoded.

Decoders trust lengths: they take memory for the size in a header and for the length of a part,
and fill with grey what is missing. One damaged byte then makes gigabytes of a file of kilobytes,
and half an image that looks whole.
"""

from __future__ import annotations

import re

__all__ = ["damage"]

_CUT_OFF = "is cut off before its end"

_JPEG = b"\xff\xd8"
# The header of a frame (SOF): all of C0 to CF but tables (C4), an extension (C8) and arithmetic
# conditioning (CC). ITU-T T.81, table B.1.
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_SCAN, _END = 0xDA, 0xD9
# Within a scan, 0xFF stands before 0 and before restart markers; several may stand in a row.
_MARKER = re.compile(rb"\xff([^\x00\x01\xd0-\xd7\xff])")
# Every block of 8x8 pixels has a code for its mean, of a bit at least (T.81, F.1.2.1).
_JPEG_PIXELS_PER_BYTE = 8 * 64

_PNG = b"\x89PNG\r\n\x1a\n"
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
# Deflate's longest match is 258 bytes, for two bits at least.
_PNG_BYTES_PER_BYTE = 1032


def damage(data: bytes) -> str:
    """What is wrong with a file; empty when nothing is, or when it is neither JPEG nor PNG.

    Args:
        data: of the whole file. Bytes after an image's own end are no damage.
    """
    if data.startswith(_JPEG):
        return _damage_of_jpeg(data)
    if data.startswith(_PNG):
        return _damage_of_png(data)
    return ""


def _damage_of_jpeg(data: bytes) -> str:
    place, scanned = len(_JPEG), False
    while found := _MARKER.search(data, place):
        marker, place = found[1][0], found.end()
        if marker == _END:
            return "" if scanned else _CUT_OFF
        if marker in _FRAMES:
            height, width = _number(data, place + 3, 2), _number(data, place + 5, 2)
            if width * height > _JPEG_PIXELS_PER_BYTE * len(data):
                return _too_large((width, height))
        scanned |= marker == _SCAN
        # Parts hold whole files too (thumbnails), whose markers are not this one's.
        place += _number(data, place, 2)
    return _CUT_OFF


def _damage_of_png(data: bytes) -> str:
    place = len(_PNG)
    while place + 12 <= len(data):
        length, kind = _number(data, place, 4), data[place + 4 : place + 8]
        if place + 12 + length > len(data):
            break
        if kind == b"IHDR" and length >= 13:
            width, height = (_number(data, place + at, 4) for at in (8, 12))
            bits = data[place + 16] * _CHANNELS.get(data[place + 17], 1)
            if height * (1 + width * bits // 8) > _PNG_BYTES_PER_BYTE * len(data):
                return _too_large((width, height))
        if kind == b"IEND":
            return ""
        place += 12 + length
    return _CUT_OFF


def _too_large(size: tuple[int, int]) -> str:
    return f"says that it is {size[0]}x{size[1]}, which its bytes cannot hold"


def _number(data: bytes, place: int, length: int) -> int:
    return int.from_bytes(data[place : place + length], "big")
