"""Write rosbag2 recordings without ROS."""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any

from rosbags.interfaces import Connection
from rosbags.rosbag2 import StoragePlugin, Writer

from coarse_loftr_ros.files.whole_files import move_over
from coarse_loftr_ros.recordings.bags.types import BagError, typestore

__all__ = ["BagWriter"]

_STORAGES = {"mcap": StoragePlugin.MCAP, "sqlite3": StoragePlugin.SQLITE3}
_FILES = {".mcap": "mcap", ".db3": "sqlite3"}


class BagWriter:
    """Writes messages into a new recording; a context manager.

    The recording appears under its name when it is complete; after an error there is none, or the
    one that was there before.

    Args:
        path: ``NAME.mcap`` or ``NAME.db3`` for one file; any other name for a rosbag2 folder.
        storage: ``mcap`` or ``sqlite3``, for a folder; a file's name says it already.
        replace: whether an existing recording of that name gives way; nothing else does.

    Raises:
        BagError: when the name is taken, cannot be made, or contradicts the storage; later, when
            the recording cannot be written.
    """

    def __init__(self, path: Path, storage: str = "mcap", *, replace: bool = False) -> None:
        if storage not in _STORAGES:
            raise BagError(f"storage is '{storage}'; it must be one of {', '.join(_STORAGES)}")
        if path.exists() and not replace:
            raise BagError(f"{path} exists already; name another file or remove it")
        if path.exists() and not _is_recording(path):
            raise BagError(f"{path} is no recording, and is not replaced by one")
        self.path = path
        self._is_file = path.suffix in _FILES
        storage = _FILES.get(path.suffix, storage)
        self._connections: dict[str, Connection] = {}
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._folder = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
        except FileExistsError as error:
            raise BagError(f"{path} cannot be written: {path.parent} is not a folder") from error
        except OSError as error:
            raise BagError(f"{path} cannot be written: {error.strerror}") from error
        # The storage file inside is named after its folder.
        self._writer = Writer(
            self._folder / path.name, version=9, storage_plugin=_STORAGES[storage]
        )

    def __enter__(self) -> BagWriter:
        with self._written():
            self._writer.open()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            if kind is None:
                with self._written():
                    self._writer.close()
                    self._publish()
        finally:
            with suppress(OSError, sqlite3.Error):
                self._writer.abort()  # does nothing where it was closed
            shutil.rmtree(self._folder, ignore_errors=True)

    def add_topic(self, topic: str, msgtype: str) -> None:
        """Announce a topic, so that it is in the recording even when nothing is written to it."""
        if topic not in self._connections:
            self._connections[topic] = self._writer.add_connection(
                topic, msgtype, typestore=typestore()
            )

    def write(self, topic: str, recorded: int, message: Any) -> None:
        """Append a message.

        Args:
            topic: its topic.
            recorded: time of recording, nanoseconds; ``ros2 bag play`` goes by it.
            message: of the types in ``bags.types``.
        """
        self.add_topic(topic, message.__msgtype__)
        data = typestore().serialize_cdr(message, message.__msgtype__)
        with self._written():
            self._writer.write(self._connections[topic], recorded, data)

    def _publish(self) -> None:
        """Move the finished recording to its name."""
        made = self._folder / self.path.name
        if self._is_file:
            (made,) = (file for file in made.iterdir() if file.suffix == self.path.suffix)
        move_over(made, self.path, aside=self._folder / "replaced")

    @contextmanager
    def _written(self) -> Iterator[None]:
        """Say which recording cannot be written."""
        try:
            yield
        except (OSError, sqlite3.Error) as error:
            reason = getattr(error, "strerror", None) or error
            raise BagError(f"{self.path} cannot be written: {reason}") from error


def _is_recording(path: Path) -> bool:
    """Whether a file or folder may be taken for a recording by its names alone."""
    return (path / "metadata.yaml").is_file() if path.is_dir() else path.suffix in _FILES
