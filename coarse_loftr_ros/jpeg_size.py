"""The size that a JPEG file says its image has, and whether its bytes can hold that much."""

from __future__ import annotations

__all__ = ["fits", "size_of"]

# A frame's header (SOF): all of C0 to CF but tables (C4), an extension (C8) and arithmetic
# conditioning (CC). ITU-T T.81, table B.1.
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_SCAN = 0xDA
# Every block of 8x8 pixels has a code for its mean, of a bit at least (T.81, F.1.2.1).
_PIXELS_PER_BYTE = 8 * 64


def size_of(data: bytes) -> tuple[int, int] | None:
    """Width and height, px; ``None`` where no frame is described before the first scan.

    Args:
        data: of the whole file.
    """
    place = 2
    while place + 9 <= len(data) and data[place] == 0xFF:
        marker = data[place + 1]
        if marker == 0xFF:  # fill
            place += 1
            continue
        if marker in _FRAMES:
            height, width = (
                int.from_bytes(data[place + at : place + at + 2], "big") for at in (5, 7)
            )
            return width, height
        if marker == _SCAN:
            return None
        place += 2 + int.from_bytes(data[place + 2 : place + 4], "big")
    return None


def fits(size: tuple[int, int], length: int) -> bool:
    """Whether a file of so many bytes can hold an image of that size.

    Decoders take memory for the size and fill what is missing with grey, so one damaged byte makes
    an image of gigabytes from a file of kilobytes.
    """
    return size[0] * size[1] <= _PIXELS_PER_BYTE * length
