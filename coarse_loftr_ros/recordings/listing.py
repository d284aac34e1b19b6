"""The images of folders, their numbers and their times, whatever tells them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import gcd
from pathlib import Path

from coarse_loftr_ros.recordings.errors import RecordingError
from coarse_loftr_ros.recordings.image_files import (
    IMAGE_SUFFIXES,
    find_images,
    is_image_name,
    natural,
)
from coarse_loftr_ros.recordings.input_report import InputReport
from coarse_loftr_ros.recordings.times import parse_times, times_of_names

__all__ = ["Listing", "Shot", "list_folders", "read_text"]

TIME_FILES = ("times.txt", "timestamps.txt")
# Lists of EuRoC's and TUM's sequences: a time and the name of a file per line.
_IMAGE_LISTS = ("data.csv", "rgb.txt")
_HEADER = re.compile(r"[a-z]*(time|stamp|sec)", re.IGNORECASE)  # of a column


@dataclass(frozen=True)
class Shot:
    """An image file.

    Attributes:
        path: of the file.
        number: of its moment in the recording, from 0.
        stamp: nanoseconds; ``None`` when what should be its time is none.
    """

    path: Path
    number: int
    stamp: int | None


@dataclass(frozen=True)
class Listing:
    """The images of one or two folders.

    Attributes:
        shots: of each stream, in order.
        moments: in the recording, whether there is an image of them or not.
        timed: whether the stamps are the recording's.
    """

    shots: tuple[list[Shot], ...]
    frame_sets: int
    timed: bool


def list_folders(root: Path, folders: Sequence[Path], rate: float, report: InputReport) -> Listing:
    """List the images of each folder.

    Times are told, in this order, by a list of times and names in the folder (``data.csv`` of
    EuRoC, ``rgb.txt`` of TUM), by ``times.txt`` or ``timestamps.txt``, by the names themselves, or
    by a rate. Where the times are not each eye's own, images of left and right are of one moment
    when their names have one number, or are equal.

    Args:
        root: of the recording, where a list for all folders may lie.
        folders: of the images of each stream.
        rate: images per second where nothing tells the times.
        report: told what is assumed.

    Raises:
        RecordingError: when a folder has no images, or images and times do not fit together.
    """
    if len(folders) > 1 and folders[0].resolve() == folders[1].resolve():
        raise RecordingError(f"left and right are both {folders[0]}")
    own = [_own_times(folder, report) for folder in folders]
    if all(shots is not None for shots in own):
        return Listing(tuple(own), max(map(len, own)), True)
    if any(shots is not None for shots in own):
        timed, other = sorted(folders, key=lambda folder: own[folders.index(folder)] is None)
        raise RecordingError(f"{timed} tells the times of its images, and {other} does not")
    return _numbered(root, [_images(folder) for folder in folders], rate, report)


def read_text(path: Path) -> str:
    """The text of a small file.

    Raises:
        RecordingError: when it cannot be read or is no text.
    """
    try:
        return path.read_text(encoding="utf-8-sig")  # some editors write a byte order mark
    except OSError as error:
        raise RecordingError(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise RecordingError(f"{path} is no text file") from error


def _images(folder: Path) -> list[Path]:
    """The images that lie in a folder, or in ``data`` below it."""
    if not folder.is_dir():
        raise RecordingError(f"{folder} is not a folder")
    files = find_images(folder) or (find_images(folder / "data") if _has_data(folder) else [])
    if not files:
        below = sorted(
            path.name for path in folder.iterdir() if path.is_dir() and find_images(path)
        )
        hint = f" ({', '.join(IMAGE_SUFFIXES)})"
        if below:
            hint = f"; choose among those in it that have: {', '.join(below[:8])}"
        raise RecordingError(f"{folder} is no recording (metadata.yaml) and has no images{hint}")
    return files


def _has_data(folder: Path) -> bool:
    return (folder / "data").is_dir()


def _own_times(folder: Path, report: InputReport) -> list[Shot] | None:
    """The images of a folder that tells their times itself; ``None`` of one that does not."""
    parent = folder.parent if folder.name == "data" else folder
    for name in _IMAGE_LISTS:
        for place in dict.fromkeys((folder, parent)):
            if (place / name).is_file():
                return _listed(place / name)
    files = _images(folder)
    for place in dict.fromkeys((folder, parent)):
        for name in TIME_FILES:
            if (place / name).is_file():
                return _with_times(place / name, files, report)
    stamps = times_of_names([file.stem for file in files])
    if stamps is None:
        return None
    return _shots(files, stamps)


def _listed(path: Path) -> list[Shot]:
    """Images of a list of times and names."""
    rows = [(row, _image_name(row)) for row in _rows(path)]
    rows = [(row, name) for row, name in rows if name is not None]
    if not rows:
        raise RecordingError(f"{path} names no image")
    words = [next((word for word in row if word != name), "") for row, name in rows]
    # EuRoC keeps the images of a list in a folder beside it.
    folder = path.parent / "data" if _has_data(path.parent) else path.parent
    return _shots([folder / name for _, name in rows], parse_times(words, str(path)))


def _with_times(path: Path, files: Sequence[Path], report: InputReport) -> list[Shot]:
    """Images of one folder with the times of a file."""
    rows = _rows(path)
    if any(map(_image_name, rows)):
        return _listed(path)
    by_stem = {file.stem: file for file in files}
    if 2 * sum(len(row) > 1 and row[0] in by_stem for row in rows) > len(rows):  # TUM mono
        stamps = parse_times([row[1] if len(row) > 1 else "" for row in rows], str(path))
        missing = files[0].parent, files[0].suffix
        listed = [by_stem.pop(row[0], missing[0] / (row[0] + missing[1])) for row in rows]
        return _shots([*listed, *by_stem.values()], [*stamps, *[None] * len(by_stem)])
    keys = _keys(files)
    return _timed(path, keys, [dict(zip(keys, files, strict=True))], report)[0]


def _image_name(row: Sequence[str]) -> str | None:
    """The name of an image among the words of a line."""
    return next((word for word in row if is_image_name(Path(word).name)), None)


def _shots(files: Sequence[Path], stamps: Sequence[int | None]) -> list[Shot]:
    return [Shot(file, k, stamp) for k, (file, stamp) in enumerate(zip(files, stamps, strict=True))]


def _numbered(
    root: Path, files: Sequence[Sequence[Path]], rate: float, report: InputReport
) -> Listing:
    """Images that are told apart by their numbers or names alone."""
    keys = [_keys(each) for each in files]
    if len({type(each[0]) for each in keys}) > 1:
        keys = [[file.stem for file in each] for each in files]
    by_key = [dict(zip(names, each, strict=True)) for names, each in zip(keys, files, strict=True)]
    if len(files) > 1 and not by_key[0].keys() & by_key[1].keys():
        left, right = (each[0].name for each in files)
        raise RecordingError(
            f"left and right cannot be paired: {files[0][0].parent} and {files[1][0].parent} have "
            f"no name in common ({left}, {right}), and no times"
        )
    union = sorted({key for each in by_key for key in each}, key=lambda key: natural(str(key)))
    path = next((root / name for name in TIME_FILES if (root / name).is_file()), None)
    if path is not None:
        shots = _timed(path, union, by_key, report)
        frame_sets = len(_words(path))
        return Listing(tuple(shots), max(frame_sets, len(union)), True)
    report.notice(
        f"{root} has no times of its images: {rate:g} images per second are assumed, from 0 s"
    )
    place = _places(union)
    shots = [
        [
            Shot(each[key], place[key], round(place[key] * 1e9 / rate))
            for key in union
            if key in each
        ]
        for each in by_key
    ]
    return Listing(tuple(shots), max(place.values()) + 1, False)


def _timed(
    path: Path, keys: Sequence[int | str], files: Sequence[dict], report: InputReport
) -> list[list[Shot]]:
    """Images of each stream with the times of a file that has one for each moment."""
    words = _words(path)
    stamps = parse_times(words, str(path))
    if len(keys) == len(words):
        place = {key: k for k, key in enumerate(keys)}
    elif isinstance(keys[0], int) and min(keys) >= 0 and max(keys) < len(words):
        place = {key: key for key in keys}
    elif isinstance(keys[0], int) and min(keys) >= 1 and max(keys) == len(words):
        place = {key: key - 1 for key in keys}
    else:
        raise RecordingError(
            f"{path} has {len(words)} times, and there are {len(keys)} images whose names do not "
            "say which is whose"
        )
    if len(keys) != len(words):
        report.notice(
            f"{path} has {len(words)} times, and there are {len(keys)} images: their numbers say "
            "which is whose"
        )
    return [
        [Shot(each[key], place[key], stamps[place[key]]) for key in keys if key in each]
        for each in files
    ]


def _places(keys: Sequence[int | str]) -> dict[int | str, int]:
    """The moment of each key: numbers keep their gaps, in units of their common step."""
    if not isinstance(keys[0], int) or len(keys) < 2:
        return {key: k for k, key in enumerate(keys)}
    step = gcd(*(b - a for a, b in pairwise(keys)))
    return {key: (key - keys[0]) // step for key in keys}


def _keys(files: Sequence[Path]) -> list[int] | list[str]:
    """The number in each name where the names differ in nothing else, else the names."""
    stems = [file.stem for file in files]
    found = [re.fullmatch(r"(.*?)(\d+)(\D*)", stem) for stem in stems]
    if all(found):
        shapes = {(match[1], match[3]) for match in found}
        keys = [int(match[2]) for match in found]
        if len(shapes) == 1 and len(set(keys)) == len(keys):
            return keys
    if len(set(stems)) < len(stems):
        twice = next(stem for stem in stems if stems.count(stem) > 1)
        raise RecordingError(f"{files[0].parent} has several images named {twice}")
    return stems


def _words(path: Path) -> list[str]:
    """The times of a file of one per line, or of one line."""
    lines = [line.strip() for line in read_text(path).splitlines()]
    lines = [line for line in lines if line and not line.startswith("#")]
    if len(lines) > 1 and _HEADER.match(lines[0]):
        return lines[1:]
    return lines[0].split() if len(lines) == 1 else lines


def _rows(path: Path) -> list[list[str]]:
    """The words of each line that is neither empty nor a comment."""
    lines = (line.strip() for line in read_text(path).splitlines())
    return [re.split(r"[,\s]+", line) for line in lines if line and not line.startswith("#")]
