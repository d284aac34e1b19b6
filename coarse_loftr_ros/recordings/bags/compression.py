"""Decompression that never makes more than its limit.

A few kilobytes may claim to be, and really be, gigabytes: what a recording says about sizes is a
claim, and memory is given to it only up to a limit.
"""

from __future__ import annotations

import sys
from pathlib import Path

import lz4.frame

from coarse_loftr_ros.recordings.bags.damage import UnreadableError
from coarse_loftr_ros.recordings.bags.types import BagError

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

__all__ = ["MOST_BYTES", "ZSTD_MAGIC", "decompress", "decompress_file"]

MOST_BYTES = 256 * 1024 * 1024
"""Most that one message, or one chunk of messages, may hold: five images of 8K in colour."""

ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"

_STEP = 4 * 1024 * 1024
# Raw images of a scene shrink to a half or a tenth, and an image of one colour 5000 times.
_MOST_RATIO = 10_000


def decompress(data: bytes, how: str, size: int | None = None) -> bytes:
    """The content of a compressed message or chunk.

    Args:
        data: as stored.
        how: ``zstd`` or ``lz4``; empty for data that is not compressed.
        size: that the content must have, bytes; ``None`` where that is not known.

    Raises:
        UnreadableError: when it is damaged, has another size, or is larger than ``MOST_BYTES``.
    """
    most = MOST_BYTES if size is None else size
    if most > MOST_BYTES:
        raise UnreadableError(f"it claims {size} bytes; at most {MOST_BYTES} are read")
    if how == "":
        content = data
    elif how in ("zstd", "lz4"):
        content = _decompress(data, how, most)
    else:
        raise UnreadableError(f"it is compressed with {how!r}; zstd and lz4 are known")
    if size is not None and len(content) != size:
        raise UnreadableError(f"it claims {size} bytes, and has {len(content)} or more")
    return content


def decompress_file(source: Path, target: Path) -> None:
    """Write the content of a zstd file, in steps.

    Raises:
        BagError: when it is damaged, or grows beyond what a recording can.
    """
    most = MOST_BYTES + _MOST_RATIO * source.stat().st_size
    written = 0
    try:
        with zstd.open(source, "rb") as packed, target.open("wb") as plain:
            while part := packed.read(_STEP):
                written += len(part)
                if written > most:
                    raise BagError(f"{source} grows beyond {most} bytes when it is decompressed")
                plain.write(part)
    except (zstd.ZstdError, EOFError) as error:
        raise BagError(f"{source} cannot be decompressed: {error}") from error


def _decompress(data: bytes, how: str, most: int) -> bytes:
    """At most one byte more than ``most``, of one frame or several behind each other."""
    parts, made = [], 0
    while data and made <= most:
        machine = zstd.ZstdDecompressor() if how == "zstd" else lz4.frame.LZ4FrameDecompressor()
        try:
            part = machine.decompress(data, most + 1 - made)
        except (zstd.ZstdError, RuntimeError, EOFError) as error:  # RuntimeError is lz4's
            raise UnreadableError(f"it cannot be decompressed: {error}") from error
        parts.append(part)
        made += len(part)
        if not machine.eof and made <= most:
            raise UnreadableError("it ends before its compressed content does")
        data = machine.unused_data or b""
    return b"".join(parts)
