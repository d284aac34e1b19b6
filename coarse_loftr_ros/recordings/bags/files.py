"""Which files a recording consists of, and how they are stored."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from pathlib import Path, PurePath
from typing import Any, NamedTuple

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from coarse_loftr_ros.recordings.bags.compression import ZSTD_MAGIC, decompress_file
from coarse_loftr_ros.recordings.bags.mcap_file import MCAP_MAGIC, McapFile
from coarse_loftr_ros.recordings.bags.sqlite_file import SQLITE_MAGIC, SqliteFile
from coarse_loftr_ros.recordings.bags.storage import Storage
from coarse_loftr_ros.recordings.bags.types import BagError

__all__ = ["METADATA", "RecordingFiles", "files_of", "is_storage_name", "open_storage"]

METADATA = "metadata.yaml"

_SUFFIXES = (".mcap", ".db3")
_ROS1_MAGIC = b"#ROSBAG V"
_MOST_METADATA = 64 * 1024 * 1024  # bytes


class RecordingFiles(NamedTuple):
    """The storage files of a recording in their order, and whether each message is compressed."""

    paths: list[Path]
    compressed_messages: bool


def files_of(path: Path) -> RecordingFiles:
    """The files that a recording consists of.

    Args:
        path: a rosbag2 folder, or one file. A folder without ``metadata.yaml``, as it is left
            behind by a recorder that was ended by force, is read where it has one file.

    Raises:
        BagError: when there is no such recording.
    """
    if not path.exists():
        raise BagError(f"{path} does not exist")
    if not path.is_dir():
        return RecordingFiles([path], False)
    if (path / METADATA).is_file():
        return _described(path)
    found = _storage_files(path)
    if len(found) == 1:
        return RecordingFiles(found, False)
    if found:
        raise BagError(
            f"{path} has no {METADATA}, which would say how its {len(found)} files belong "
            f"together: 'ros2 bag reindex {path}' makes one, or name one file"
        )
    raise BagError(f"{path} is no recording: it has no {METADATA}")


def open_storage(path: Path, stack: ExitStack) -> Storage:
    """Open a storage file, of the kind that its first bytes name.

    Args:
        path: of the file; one that is compressed as a whole is read from a temporary copy.
        stack: closes it, and removes that copy.

    Raises:
        BagError: when it is none, in words that say what can be done.
        OSError: when it cannot be read at all.
    """
    with path.open("rb") as file:
        head = file.read(16)
    if head.startswith(ZSTD_MAGIC):
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="coarse_loftr."))
        copy = Path(folder) / path.name.removesuffix(".zstd").removesuffix(".zst")
        decompress_file(path, copy)
        path = copy
        with path.open("rb") as file:
            head = file.read(16)
    storage: Storage
    if head.startswith(MCAP_MAGIC):
        storage = McapFile(path)
    elif head.startswith(SQLITE_MAGIC):
        storage = SqliteFile(path)
    elif head.startswith(_ROS1_MAGIC) or path.suffix == ".bag":
        raise BagError(
            f"{path} is a ROS 1 recording; 'rosbags-convert --src {path.name} --dst NAME' makes a "
            "ROS 2 one of it"
        )
    else:
        begin = "is empty" if not head else "begins neither as MCAP nor as sqlite3"
        raise BagError(f"{path} cannot be read: it {begin}")
    stack.callback(storage.close)
    return storage


def is_storage_name(path: Path) -> bool:
    """Whether a file's name is that of a storage of rosbag2, compressed or not."""
    plain = path.name.removesuffix(".zstd").removesuffix(".zst")
    return plain.endswith(_SUFFIXES) and not plain.startswith(".")


def _storage_files(folder: Path) -> list[Path]:
    return sorted(file for file in folder.iterdir() if is_storage_name(file) and file.is_file())


def _described(folder: Path) -> RecordingFiles:
    """The files that ``metadata.yaml`` names; nothing else in it is needed."""
    path = folder / METADATA
    refusal = f"{path} cannot be read; if the recording's own file is whole, name that: "
    if path.stat().st_size > _MOST_METADATA:
        raise BagError(f"{refusal}it is larger than {_MOST_METADATA} bytes")
    try:
        # "base" leaves all values text: no number, time or tag in it can be wrong.
        described: Any = YAML(typ="base").load(path.read_text(errors="replace"))
    except (YAMLError, ValueError, RecursionError) as error:
        raise BagError(f"{refusal}{error}") from error
    facts = described.get("rosbag2_bagfile_information") if isinstance(described, dict) else None
    names = facts.get("relative_file_paths") if isinstance(facts, dict) else None
    if not isinstance(names, list) or not names or not all(isinstance(n, str) for n in names):
        raise BagError(f"{refusal}it names no files (relative_file_paths)")
    return RecordingFiles(
        [folder / PurePath(name).name for name in names],
        str(facts.get("compression_mode", "")).lower() == "message",
    )
