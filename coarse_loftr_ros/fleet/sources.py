"""Where the recordings of a fleet are: files, folders, globs and lists, local or remote."""

from __future__ import annotations

import posixpath
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, NamedTuple

from coarse_loftr_ros.fleet.folder import LOCK
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
_NONE = "{} has no recording: no bag, no video, no folder of images"
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

    A folder without any recording is one that cannot be used, where other sources have some.

    Raises:
        FleetError: when a source does not exist, or there is no recording.
    """
    addresses: dict[str, None] = {}
    kinds: set[_Kind] = set()
    for source in sources:
        found = list(_addresses(source, lists=True))
        kinds.update(each.kind for each in found)
        if not found:
            raise FleetError(_NONE.format(source))
        addresses.update(dict.fromkeys(each.address for each in found))
    if kinds == {_Kind.NOTHING}:
        raise FleetError(_NONE.format(sources[0]))
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


class _Kind(Enum):
    RECORDING, IMAGES, NOTHING = range(3)


class _Found(NamedTuple):
    address: str
    kind: _Kind


def _addresses(source: str, *, lists: bool) -> Iterator[_Found]:
    files, path = filesystem_of(source)
    path = path.rstrip("/") or path
    try:
        if not files.exists(path):  # a name may have the signs of a glob in it
            if not any(sign in source for sign in "*?["):
                raise FleetError(f"{source} does not exist")
            for found in sorted(files.glob(path), key=natural):
                yield from _named(files, found)
        elif files.isdir(path):
            yield from _named(files, path)
        elif lists and path.endswith(_LISTS):
            for line in files.cat_file(path).decode("utf-8-sig", "replace").splitlines():
                if line.strip() and not line.lstrip().startswith("#"):
                    yield from _addresses(line.strip(), lists=False)
        else:
            yield _Found(_address(files, path), _Kind.RECORDING)
    except OSError as error:
        raise FleetError(f"{source} cannot be read: {error.strerror or error}") from error


def _named(files: AbstractFileSystem, path: str) -> Iterator[_Found]:
    """What a user means by a path: a file, or the recordings of a folder."""
    if not files.isdir(path):
        yield _Found(_address(files, path), _Kind.RECORDING)
        return
    found = _in(files, path, ())
    if not found and not files.exists(f"{path}/{LOCK}"):
        found = [_Found(_address(files, path), _Kind.NOTHING)]
    yield from found


def _in(files: AbstractFileSystem, path: str, above: tuple[str, ...]) -> list[_Found]:
    """The recordings of a folder: itself, or those in it and its sub-folders.

    Results of a fleet have pictures and bags that are no recordings.
    """
    real = posixpath.realpath(path) if _is_local(files) else path
    if real in above or len(above) > _DEEPEST:  # links may lead in circles
        return []
    entries = files.ls(path, detail=True)
    folders = {_base(each): each["name"] for each in entries if _is_folder(files, each)}
    names = sorted((_base(each) for each in entries if _base(each) not in folders), key=natural)
    if LOCK in names and "recordings" in folders:
        return []
    files_of_bags = [name for name in names if is_storage_name(PurePosixPath(name))]
    if (
        (METADATA in names and (files_of_bags or not folders))
        or "rgb.txt" in names
        or any(left.partition("/")[0] in folders for left in _LAYOUTS)
    ):
        return [_Found(_address(files, path), _Kind.RECORDING)]
    found = [
        _Found(_address(files, f"{path}/{name}"), _Kind.RECORDING)
        for name in names
        if name in files_of_bags or name.lower().endswith((*_VIDEOS, ".bag"))
    ]
    for name in sorted((each for each in folders if not each.startswith(".")), key=natural):
        found += _in(files, folders[name], (*above, real))
    images = sum(is_image_name(name) for name in names)
    if images and not found:
        return [_Found(_address(files, path), _Kind.IMAGES)]
    if images > 1 and all(each.kind is _Kind.IMAGES for each in found):
        return [_Found(_address(files, path), _Kind.IMAGES)]  # those below are masks or the like
    return found  # a picture beside bags is none of a recording


def _is_folder(files: AbstractFileSystem, entry: dict) -> bool:
    return entry["type"] == "directory" or (entry.get("islink") and files.isdir(entry["name"]))


def _base(entry: dict) -> str:
    return posixpath.basename(entry["name"].rstrip("/"))


def _address(files: AbstractFileSystem, path: str) -> str:
    return posixpath.normpath(path) if _is_local(files) else files.unstrip_protocol(path)


def _is_local(files: AbstractFileSystem) -> bool:
    return "file" in (files.protocol if isinstance(files.protocol, tuple) else (files.protocol,))


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
