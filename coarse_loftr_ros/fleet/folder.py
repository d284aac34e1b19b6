"""The folder that a fleet's results are in; what is in it is whole."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from coarse_loftr_ros.files.json_text import json_text
from coarse_loftr_ros.files.whole_files import whole_file
from coarse_loftr_ros.fleet.settings import FleetError

__all__ = ["LOCK", "RESULT", "FleetFolder"]

LOCK = ".fleet.lock"
RESULT = "result.json"
_UNFINISHED = ".unfinished"


class FleetFolder:
    """``recordings/NAME/SETTINGS/`` of each recording and setting, the manifest, the report.

    A folder of results is written under another name and renamed when its files are on the disk,
    so that it is there whole or not at all, whoever is killed.

    Args:
        root: of all.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.manifest = root / "manifest.json"
        self.report = root / "index.html"

    def place(self, recording: str, settings: str) -> Path:
        """Where the results of a recording under some settings are."""
        return self.root / "recordings" / recording / settings

    def result(self, recording: str, settings: str) -> dict[str, Any] | None:
        """What became of a recording; ``None`` while nothing has."""
        return self.json(recording, settings, RESULT)

    def json(self, recording: str, settings: str, name: str) -> dict[str, Any] | None:
        """A JSON file of the results; ``None`` where it is not there.

        Raises:
            FleetError: when it is damaged.
        """
        path = self.place(recording, settings) / name
        try:
            return json.loads(path.read_text("utf-8"))
        except FileNotFoundError:
            return None
        except ValueError as error:
            raise FleetError(
                f"{path} is damaged ({error}); remove its folder, and --resume makes it anew"
            ) from error

    @contextmanager
    def writing(self, recording: str, settings: str) -> Iterator[Path]:
        """Write results in a new folder, which gets its place when the block ends without error.

        Where another worker was faster its results, which are the same, stay.

        Raises:
            OSError: when they cannot be written.
        """
        unfinished = self.root / _UNFINISHED
        unfinished.mkdir(parents=True, exist_ok=True)
        new = unfinished / secrets.token_hex(8)
        new.mkdir()
        try:
            yield new
            for file in new.rglob("*"):
                if file.is_file():
                    with file.open("rb") as opened:
                        os.fsync(opened.fileno())
            place = self.place(recording, settings)
            place.parent.mkdir(parents=True, exist_ok=True)
            try:
                new.rename(place)
            except OSError as error:
                if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                    raise
        finally:
            shutil.rmtree(new, ignore_errors=True)

    def write_json(self, path: Path, values: dict[str, Any]) -> None:
        """Write a JSON file whole.

        Raises:
            OSError: when it cannot be written.
        """
        with whole_file(path) as new:
            new.write_text(json_text(values) + "\n", "utf-8")

    def forget(self, recording: str, settings: str) -> None:
        """Remove results, so that they are made anew."""
        shutil.rmtree(self.place(recording, settings), ignore_errors=True)

    def clear(self) -> None:
        """Remove everything that a fleet has written here."""
        for name in ("recordings", _UNFINISHED):
            shutil.rmtree(self.root / name, ignore_errors=True)
        for path in (self.manifest, self.report):
            path.unlink(missing_ok=True)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep other drivers out, and clear away what killed workers have left.

        Raises:
            FleetError: when another driver is at work here, or the folder cannot be written.
        """
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            lock = (self.root / LOCK).open("w")
        except OSError as error:
            raise FleetError(f"{self.root} cannot be written: {error.strerror}") from error
        with lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise FleetError(f"another 'coarse-loftr fleet' is writing {self.root}") from error
            shutil.rmtree(self.root / _UNFINISHED, ignore_errors=True)
            yield
            shutil.rmtree(self.root / _UNFINISHED, ignore_errors=True)
