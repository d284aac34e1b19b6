"""MCAP files record by record, also such as no good writer makes."""

import struct
from binascii import crc32
from collections.abc import Iterable

import lz4.frame
from rosbags.rosbag2.storage_mcap import zstd

MAGIC = b"\x89MCAP0\r\n"
PACKERS = {"": bytes, "zstd": zstd.compress, "lz4": lz4.frame.compress}


def record(opcode: int, body: bytes, claims: int | None = None) -> bytes:
    return struct.pack("<BQ", opcode, len(body) if claims is None else claims) + body


def text(word: str) -> bytes:
    return struct.pack("<I", len(word)) + word.encode()


def header(profile: str = "ros2") -> bytes:
    return record(1, text(profile) + text("test"))


def schema(key: int, name: str) -> bytes:
    return record(3, struct.pack("<H", key) + text(name) + text("ros2msg") + text("any"))


def channel(key: int, of: int, topic: str, encoding: str = "cdr") -> bytes:
    return record(4, struct.pack("<HH", key, of) + text(topic) + text(encoding) + text(""))


def message(key: int, time: int, data: bytes, claims: int | None = None) -> bytes:
    return record(5, struct.pack("<HIQQ", key, 0, time, time) + data, claims)


def chunk(
    records: Iterable[bytes],
    start: int = 0,
    compression: str = "",
    size: int | None = None,
    crc: int | None = None,
) -> bytes:
    content = b"".join(records)
    packed = PACKERS.get(compression, bytes)(content)
    size = len(content) if size is None else size
    crc = crc32(content) if crc is None else crc
    head = struct.pack("<QQQI", start, start, size, crc) + text(compression)
    return record(6, head + struct.pack("<Q", len(packed)) + packed)


def chunk_index(offset: int, length: int) -> bytes:
    return record(8, struct.pack("<QQQQ", 0, 0, offset, length) + text("") * 2 + bytes(24))


def message_index(key: int, count: int) -> bytes:
    return record(7, struct.pack("<HI", key, 16 * count) + bytes(16 * count))


def footer(summary: int = 0) -> bytes:
    return record(2, struct.pack("<QQI", summary, 0, 0)) + MAGIC


def mcap(*records: bytes, profile: str = "ros2") -> bytes:
    """A whole file without a summary."""
    return MAGIC + header(profile) + b"".join(records) + footer()
