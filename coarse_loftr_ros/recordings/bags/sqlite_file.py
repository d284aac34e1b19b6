"""Read a sqlite3 storage of rosbag2, as far as the database can be read."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

from coarse_loftr_ros.recordings.bags.compression import MOST_BYTES
from coarse_loftr_ros.recordings.bags.damage import Damage
from coarse_loftr_ros.recordings.bags.storage import LATEST_TIME, Channel, StoredMessage
from coarse_loftr_ros.recordings.bags.types import BagError

__all__ = ["SQLITE_MAGIC", "SqliteFile"]

SQLITE_MAGIC = b"SQLite format 3\x00"

# The library's own words may hold text of the damaged file that is no UTF-8.
_DAMAGED = (sqlite3.Error, UnicodeDecodeError)
_SMALLEST_ROW = 4  # bytes: pages that are listed twice would give rows without end


class SqliteFile:
    """A ``Storage`` of one database.

    Rows are found by their key, not by the index of times, and each message's bytes are asked for
    by themselves: so a damaged page costs the messages on it.

    Raises:
        BagError: when it is no database, or not one of rosbag2.
        OSError: when it cannot be read at all.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.channels: dict[int, Channel] = {}
        self.damage = Damage()
        self._most_rows = path.stat().st_size // _SMALLEST_ROW
        # Immutable: nothing is written beside it, not even a lock. What a recorder that was ended
        # by force left in its log is read only where the log is.
        log = path.with_name(f"{path.name}-wal")
        how = "mode=ro" if log.is_file() and log.stat().st_size else "immutable=1"
        try:
            self._database = sqlite3.connect(f"{path.resolve().as_uri()}?{how}", uri=True)
        except _DAMAGED as error:
            raise BagError(f"{path} cannot be opened: {error}") from error
        try:
            self._open()
        except _DAMAGED as error:
            self._database.close()
            raise BagError(f"{path} cannot be read: {error}") from error
        except BaseException:
            self._database.close()
            raise

    def close(self) -> None:
        """Close the database."""
        self._database.close()

    def messages(self, wanted: set[int]) -> Iterator[StoredMessage]:
        """Messages of some channels, by time of recording."""
        rows = sorted((time, row, channel) for row, channel, time in self._rows(wanted))
        for time, row, channel in rows:
            try:
                found = self._database.execute(
                    "SELECT data FROM messages WHERE id = ? AND length(data) <= ?",
                    (row, MOST_BYTES),
                ).fetchone()
            except _DAMAGED as error:
                self._lost(row, str(error))
                continue
            if not found or not isinstance(found[0], bytes):
                self._lost(row, "it holds no bytes, or too many")
                continue
            yield StoredMessage(channel, time, found[0])

    def _open(self) -> None:
        self._database.text_factory = lambda text: text.decode(errors="replace")
        kinds = dict(self._database.execute("SELECT name, type FROM sqlite_master"))
        # A view by that name could be anything, such as rows without end.
        if kinds.get("messages") != "table" or kinds.get("topics") != "table":
            raise BagError(f"{self._path} is no recording: it has no tables messages and topics")
        query = "SELECT id, name, type, serialization_format FROM topics"
        for key, *words in self._database.execute(query):
            if not isinstance(key, int) or not all(isinstance(word, str) for word in words):
                self.damage.add("record", key, f"{self._path}: topic {key} has no name or no type")
                continue
            self.channels[key] = Channel(*words)
        for _, channel, _ in self._rows(set(self.channels)):
            self.channels[channel].count += 1

    def _rows(self, wanted: set[int]) -> Iterator[tuple[int, int, int]]:
        """Id, channel and time of each message; around damage, from the end back to it."""
        last = -1
        try:
            for row, channel, time in self._query("ASC"):
                last = row
                if channel in wanted and self._is_time(row, time):
                    yield row, channel, time
            return
        except _DAMAGED as error:
            sentence = f"{self._path} is damaged behind message {last}: {error}"
            self.damage.add("gap", last, sentence)
        try:
            for row, channel, time in self._query("DESC"):
                if row <= last:
                    return
                if channel in wanted and self._is_time(row, time):
                    yield row, channel, time
        except _DAMAGED:
            return  # the other side of the same gap

    def _query(self, order: str) -> Iterator[tuple[int, int, int]]:
        rows = self._database.execute(
            f"SELECT id, topic_id, timestamp FROM messages ORDER BY id {order}"
        )
        for number, row in enumerate(rows):
            if number > self._most_rows:
                raise sqlite3.DatabaseError("it lists more messages than it has room for")
            yield row

    def _is_time(self, row: int, time: object) -> bool:
        if isinstance(time, int) and 0 <= time <= LATEST_TIME:
            return True
        self._lost(row, f"it was recorded at {time!r} ns")
        return False

    def _lost(self, row: int, why: str) -> None:
        self.damage.add("message", row, f"{self._path}: message {row} cannot be read: {why}")
