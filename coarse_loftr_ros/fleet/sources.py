"""Where the recordings of a fleet are: files, folders, globs and lists, local or remote."""

from __future__ import annotations

import posixpath
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from coarse_loftr_ros.fleet.settings import FleetError
from coarse_loftr_ros.recordings import euroc, kitti
from coarse_loftr_ros.recordings.bags.files import METADATA, is_storage_name
from coarse_loftr_ros.recordings.image_files import is_image_name, natural

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

__all__ = ["Recording", "filesystem_of", "find_recordings"]

_VIDEOS = (".mp4", ".avi", ".mkv", ".mov", ".webm", ".m4v", ".mpg", ".mpeg")
_LISTS = (".txt", ".list")
_DEEPEST = 12
_LAYOUTS = tuple(left for left, _ in (*kitti.PAIRS, *euroc.PAIRS))


@dataclass(frozen=True)
class Recording:
    """One recording.

    Attributes:
        name: unlike that of any other recording of the fleet; a name of a folder.
        address: a local path, or an address that fsspec knows.
    """

    name: str
    address: str


def find_recordings(sources: Sequence[str]) -> list[Recording]:
    """The recordings that sources name, each once, in the order of sources and names.

    Args:
        sources: recordings; folders, which are searched for them; globs; and ``.txt`` or ``.list``
            files with a source per line. Local, or an address such as ``s3://bucket/folder``.

    Raises:
        FleetError: when a source does not exist, or has no recording.
    """
    addresses: dict[str, None] = {}
    for source in sources:
        found = list(_addresses(source, lists=True))
        if not found:
            raise FleetError(f"{source} has no recording: no bag, no video, no folder of images")
        addresses.update(dict.fromkeys(found))
    names = _names(list(addresses))
    return [Recording(name, address) for name, address in zip(names, addresses, strict=True)]


def filesystem_of(address: str) -> tuple[AbstractFileSystem, str]:
    """The file system of an address, and the path on it.

    Raises:
        FleetError: when fsspec does not know such addresses, or lacks their driver.
    """
    from fsspec.core import url_to_fs

    try:
        return url_to_fs(address)
    except (ImportError, ValueError) as error:
        raise FleetError(f"{address} cannot be opened: {error}") from error


def _addresses(source: str, *, lists: bool) -> Iterator[str]:
    files, path = filesystem_of(source)
    path = path.rstrip("/") or path
    try:
        if not files.exists(path):  # a name may have the signs of a glob in it
            if not any(sign in source for sign in "*?["):
                raise FleetError(f"{source} does not exist")
            for found in sorted(files.glob(path), key=natural):
                yield from _in(files, found)
        elif files.isdir(path):
            yield from _in(files, path)
        elif lists and path.endswith(_LISTS):
            for line in files.cat_file(path).decode("utf-8", "replace").splitlines():
                if line.strip() and not line.lstrip().startswith("#"):
                    yield from _addresses(line.strip(), lists=False)
        else:
            yield _address(files, path)
    except OSError as error:
        raise FleetError(f"{source} cannot be read: {error.strerror or error}") from error


def _in(files: AbstractFileSystem, path: str, depth: int = 0) -> Iterator[str]:
    """The recordings of a path: itself, or those of a folder and its sub-folders."""
    if not files.isdir(path):
        yield _address(files, path)
        return
    entries = files.ls(path, detail=True)
    folders = {_base(each): each["name"] for each in entries if _is_folder(files, each)}
    names = sorted((_base(each) for each in entries if _base(each) not in folders), key=natural)
    if (
        METADATA in names
        or "rgb.txt" in names
        or any(is_image_name(name) for name in names)
        or any(left.partition("/")[0] in folders for left in _LAYOUTS)
    ):
        yield _address(files, path)
        return
    for name in names:
        if is_storage_name(PurePosixPath(name)) or name.lower().endswith((*_VIDEOS, ".bag")):
            yield _address(files, f"{path}/{name}")
    for name in sorted((each for each in folders if not each.startswith(".")), key=natural):
        if depth < _DEEPEST:  # links may lead in circles
            yield from _in(files, folders[name], depth + 1)


def _is_folder(files: AbstractFileSystem, entry: dict) -> bool:
    return entry["type"] == "directory" or (entry.get("islink") and files.isdir(entry["name"]))


def _base(entry: dict) -> str:
    return posixpath.basename(entry["name"].rstrip("/"))


def _address(files: AbstractFileSystem, path: str) -> str:
    local = "file" in (files.protocol if isinstance(files.protocol, tuple) else (files.protocol,))
    return path if local else files.unstrip_protocol(path)


def _names(addresses: Sequence[str]) -> list[str]:
    """A name for each address: its last part, with as many before it as make it unlike others."""
    parts = [[part for part in re.split(r"[/\\]", each) if part] for each in addresses]
    names = [_slug(each[-1:]) for each in parts]
    for count in range(2, max((len(each) for each in parts), default=1) + 1):
        same = Counter(names)
        names = [
            _slug(each[-count:]) if same[name] > 1 else name
            for name, each in zip(names, parts, strict=True)
        ]
    taken: set[str] = set()
    for index, name in enumerate(names):
        number = 2
        while names[index] in taken:
            names[index], number = f"{name}-{number}", number + 1
        taken.add(names[index])
    return names


def _slug(parts: Sequence[str]) -> str:
    *before, last = parts
    stem = re.sub(r"\.(mcap|db3|zstd|bag|mp4|avi|mkv|mov|webm|m4v|mpe?g)$", "", last, flags=re.I)
    words = "-".join([*before, stem or last])
    return re.sub(r"[^A-Za-z0-9._-]+", "_", words).strip(".-_")[-100:] or "recording"
