"""Read an MCAP file (https://mcap.dev/spec) by walking its records.

Readers that go by the summary and the index at the end of the file cannot read what has none: a
recording that was ended by force, or written without. Here the records are walked from the
beginning, without reading what is in chunks, so that one way serves all files. Indexes only save
work: one behind a chunk says what is in the chunk, the summary names the channels, and where the
way is lost its list of chunks leads on. No length is believed before it was compared with what
there is.
"""

from __future__ import annotations

import heapq
import struct
from array import array
from binascii import crc32
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from coarse_loftr_ros.recordings.bags.compression import MOST_BYTES, decompress
from coarse_loftr_ros.recordings.bags.damage import Damage, UnreadableError
from coarse_loftr_ros.recordings.bags.storage import LATEST_TIME, Channel, StoredMessage
from coarse_loftr_ros.recordings.bags.types import BagError

__all__ = ["MCAP_MAGIC", "McapFile"]

MCAP_MAGIC = b"\x89MCAP0\r\n"

_HEADER, _FOOTER, _SCHEMA, _CHANNEL, _MESSAGE = 1, 2, 3, 4, 5
_CHUNK, _MESSAGE_INDEX, _CHUNK_INDEX = 6, 7, 8

_RECORD = struct.Struct("<BQ")  # opcode, length
_MESSAGE_HEAD = struct.Struct("<HIQQ")  # channel, sequence, time of recording, of publication
_CHUNK_HEAD = struct.Struct("<QQQII")  # first and last time, size, CRC, length of a name
_INDEX_ENTRY = 16  # bytes
_FOOTER_SIZE = _RECORD.size + 20 + len(MCAP_MAGIC)
_MOST_TEXT = 64 * 1024  # of a schema or channel: names come first, and that is all that is read


class _Chunk(NamedTuple):
    """Where a chunk's messages are.

    Attributes:
        start: time of the first message, nanoseconds.
        offset: of the compressed messages in the file.
        stored: bytes there.
        compression: its name.
        size: bytes when decompressed.
        crc: of these; 0 where there is none.
        counts: messages of each channel; empty where the file does not say.
    """

    start: int
    offset: int
    stored: int
    compression: str
    size: int
    crc: int
    counts: dict[int, int]


class McapFile:
    """A ``Storage`` of one MCAP file.

    Raises:
        BagError: when it does not begin as an MCAP file of ROS 2.
        OSError: when it cannot be read at all.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.channels: dict[int, Channel] = {}
        self.damage = Damage()
        self._types: dict[int, str] = {}
        self._chunks: list[_Chunk] = []
        self._loose = array("Q")  # time, offset, length, channel of each message outside chunks
        self._file = path.open("rb")
        try:
            self._size = path.stat().st_size
            if self._read(0, len(MCAP_MAGIC)) != MCAP_MAGIC:
                raise BagError(f"{path} does not begin as an MCAP file does")
            self._find_records()
            self._find_channels()
        except BaseException:
            self._file.close()
            raise

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def messages(self, wanted: set[int]) -> Iterator[StoredMessage]:
        """Messages of some channels, by time of recording.

        Chunks may overlap in time. They are merged as far as ``MOST_BYTES`` of messages allow to
        look ahead; beyond that they come in the order of their chunks.
        """
        loose = np.array(self._loose, np.uint64).reshape(-1, 4)
        loose = loose[np.isin(loose[:, 3], list(wanted))]
        pieces: list[tuple[int, int, _Chunk | tuple[int, int]]] = [
            (chunk.start, chunk.offset, chunk)
            for chunk in self._chunks
            if not chunk.counts or not wanted.isdisjoint(chunk.counts)
        ]
        pieces += [(t, offset, (offset, length)) for t, offset, length, _ in loose.tolist()]
        pieces.sort(key=lambda piece: piece[:2], reverse=True)
        heap: list[tuple[int, int, StoredMessage]] = []
        number = held = 0
        while pieces or heap:
            while pieces and (not heap or (pieces[-1][0] <= heap[0][0] and held < MOST_BYTES)):
                for message in self._messages_of(pieces.pop()[2], wanted):
                    heapq.heappush(heap, (message.recorded, number, message))
                    number, held = number + 1, held + len(message.raw)
            if heap:
                message = heapq.heappop(heap)[2]
                held -= len(message.raw)
                yield message

    def _read(self, offset: int, size: int) -> bytes:
        self._file.seek(offset)
        return self._file.read(size)

    def _find_records(self) -> None:
        """Walk from the beginning to the footer, by way of the list of chunks where that fails."""
        stopped = self._walk(len(MCAP_MAGIC))
        if stopped is None:
            return
        summary = self._summary_start()
        places = [*sorted(self._listed_chunks(summary)), summary] if summary else []
        while stopped is not None:
            place = next((offset for offset in places if offset > stopped), None)
            if place is None:
                self.damage.add(
                    "end",
                    stopped,
                    f"{self._path} is cut off or damaged at byte {stopped} of {self._size}; what "
                    "comes before is read",
                )
                return
            self.damage.add(
                "gap", stopped, f"{self._path} is damaged from byte {stopped} to byte {place}"
            )
            stopped = self._walk(place)

    def _walk(self, offset: int) -> int | None:
        """Take note of the records from an offset on.

        Returns:
            ``None`` when that led to the footer, otherwise where it ended.
        """
        while offset + _RECORD.size <= self._size:
            opcode, length = _RECORD.unpack(self._read(offset, _RECORD.size))
            body = offset + _RECORD.size
            if opcode == 0 or length > self._size - body:
                return offset
            if opcode == _FOOTER:
                return None
            try:
                self._note(opcode, body, length)
            except (struct.error, UnicodeDecodeError, UnreadableError) as error:
                self.damage.add(
                    "record", offset, f"{self._path}: the record at byte {offset}: {error}"
                )
            offset = body + length
        return offset

    def _note(self, opcode: int, body: int, length: int) -> None:
        """Keep what a record at the top level says."""
        if opcode == _MESSAGE:
            channel, _, time, _ = _MESSAGE_HEAD.unpack(self._read(body, _MESSAGE_HEAD.size))
            if length < _MESSAGE_HEAD.size or length > MOST_BYTES:
                raise UnreadableError(f"a message of {length} bytes")
            self._loose.extend((time, body, length, channel))
        elif opcode == _CHUNK:
            self._chunks.append(self._chunk(body, length))
        elif opcode == _MESSAGE_INDEX and self._chunks:
            channel, size = struct.unpack("<HI", self._read(body, 6))
            if size != length - 6:
                raise UnreadableError("an index whose length is not its own")
            counts = self._chunks[-1].counts
            counts[channel] = counts.get(channel, 0) + size // _INDEX_ENTRY
        elif opcode in (_HEADER, _SCHEMA, _CHANNEL):
            self._name(opcode, self._read(body, min(length, _MOST_TEXT)))

    def _chunk(self, body: int, length: int) -> _Chunk:
        start, _, size, crc, named = _CHUNK_HEAD.unpack(self._read(body, _CHUNK_HEAD.size))
        head = _CHUNK_HEAD.size + named + 8
        if head > length or named > _MOST_TEXT:
            raise UnreadableError("a chunk whose lengths contradict each other")
        rest = self._read(body + _CHUNK_HEAD.size, named + 8)
        (stored,) = struct.unpack_from("<Q", rest, named)
        if stored > length - head:
            raise UnreadableError(f"a chunk that claims {stored} of {length - head} bytes")
        return _Chunk(start, body + head, stored, rest[:named].decode(), size, crc, {})

    def _name(self, opcode: int, record: bytes) -> None:
        """Keep the name in a header, schema or channel; the first one of an id counts."""
        if opcode == _HEADER:
            if _text(record, 0)[0] == "ros1":
                raise BagError(f"{self._path} is a ROS 1 recording; only those of ROS 2 are read")
        elif opcode == _SCHEMA:
            (key,) = struct.unpack_from("<H", record)
            self._types.setdefault(key, _text(record, 2)[0])
        elif opcode == _CHANNEL:
            key, schema = struct.unpack_from("<HH", record)
            topic, end = _text(record, 4)
            encoding, _ = _text(record, end)
            self.channels.setdefault(key, Channel(topic, self._types.get(schema, ""), encoding))

    def _summary_start(self) -> int | None:
        """Where the summary begins, if the file ends as it should."""
        footer = self._read(max(0, self._size - _FOOTER_SIZE), _FOOTER_SIZE)
        if len(footer) < _FOOTER_SIZE or not footer.endswith(MCAP_MAGIC) or footer[0] != _FOOTER:
            return None
        (start,) = struct.unpack_from("<Q", footer, _RECORD.size)
        return start if 0 < start < self._size else None

    def _listed_chunks(self, offset: int) -> Iterator[int]:
        """Offsets of the chunks that the summary lists."""
        while offset + _RECORD.size <= self._size:
            opcode, length = _RECORD.unpack(self._read(offset, _RECORD.size))
            offset += _RECORD.size
            if opcode in (0, _FOOTER) or length > self._size - offset:
                return
            if opcode == _CHUNK_INDEX and length >= 24:
                (chunk,) = struct.unpack("<Q", self._read(offset + 16, 8))
                if chunk + _RECORD.size < self._size:
                    yield chunk
            offset += length

    def _find_channels(self) -> None:
        """Count messages, and look into chunks where the file does not say what is in them."""
        for number, chunk in enumerate(self._chunks):
            counts = chunk.counts
            if not counts or not self.channels.keys() >= counts.keys():
                counts = {}
                try:
                    for channel, _, _ in self._records(chunk):
                        counts[channel] = counts.get(channel, 0) + 1
                    self._chunks[number] = chunk._replace(counts=counts)
                except UnreadableError as error:
                    self._lost(chunk, error, 1)
            self._count(counts.items())
        self._count(zip(*np.unique(self._loose[3::4], return_counts=True), strict=True))

    def _count(self, counts: Iterable[tuple[int, int]]) -> None:
        for key, count in counts:
            if int(key) in self.channels:
                self.channels[int(key)].count += int(count)

    def _messages_of(
        self, piece: _Chunk | tuple[int, int], wanted: set[int]
    ) -> Iterator[StoredMessage]:
        """Messages of some channels in a chunk, or the one that lies at an offset."""
        if isinstance(piece, _Chunk):
            left = sum(count for key, count in piece.counts.items() if key in wanted)
            try:
                for channel, time, data in self._records(piece):
                    if channel in wanted:
                        left -= 1
                        if self._is_time(time, piece.offset):
                            yield StoredMessage(channel, time, bytes(data))
            except UnreadableError as error:
                self._lost(piece, error, max(1, left))
            return
        offset, length = piece
        record = self._read(offset, length)
        channel, _, time, _ = _MESSAGE_HEAD.unpack_from(record)
        if self._is_time(time, offset):
            yield StoredMessage(channel, time, record[_MESSAGE_HEAD.size :])

    def _is_time(self, time: int, place: object) -> bool:
        if time <= LATEST_TIME:
            return True
        self.damage.add("message", place, f"{self._path}: a message was recorded at {time} ns")
        return False

    def _lost(self, chunk: _Chunk, why: UnreadableError, count: int) -> None:
        sentence = f"{self._path}: the chunk of messages at byte {chunk.offset}: {why}"
        self.damage.add("chunk", chunk.offset, sentence, count)

    def _records(self, chunk: _Chunk) -> Iterator[tuple[int, int, memoryview]]:
        """Channel, time and content of each message in a chunk.

        Raises:
            UnreadableError: where it is damaged; messages before that have been given.
        """
        stored = self._read(chunk.offset, chunk.stored)
        content = memoryview(decompress(stored, chunk.compression, chunk.size))
        if chunk.crc and crc32(content) != chunk.crc:
            raise UnreadableError("its checksum is not that of its content")
        offset = 0
        while offset < len(content):
            if len(content) - offset < _RECORD.size:
                raise UnreadableError("it ends within a record")
            opcode, length = _RECORD.unpack_from(content, offset)
            offset += _RECORD.size
            if length > len(content) - offset:
                raise UnreadableError(f"a record in it claims {length} bytes")
            record = content[offset : offset + length]
            if opcode == _MESSAGE:
                if length < _MESSAGE_HEAD.size:
                    raise UnreadableError(f"a message in it has {length} bytes")
                channel, _, time, _ = _MESSAGE_HEAD.unpack_from(record)
                yield channel, time, record[_MESSAGE_HEAD.size :]
            elif opcode in (_SCHEMA, _CHANNEL):
                try:
                    self._name(opcode, bytes(record[:_MOST_TEXT]))
                except (struct.error, UnicodeDecodeError) as error:
                    raise UnreadableError(f"a name in it cannot be read: {error}") from error
            offset += length


def _text(record: bytes, offset: int) -> tuple[str, int]:
    """A text with its length before it, and where it ends."""
    (length,) = struct.unpack_from("<I", record, offset)
    end = offset + 4 + length
    if end > len(record):
        raise UnreadableError(f"a name that claims {length} bytes")
    return record[offset + 4 : end].decode(), end
