"""The images of folders, their numbers and their times, wherever these are written."""

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
from coarse_loftr_ros.recordings.text_files import rows_of, words_of
from coarse_loftr_ros.recordings.times import parse_times, times_of_names

__all__ = ["ImageFile", "Listing", "list_folders"]

TIME_FILES = ("times.txt", "timestamps.txt")
# Lists of EuRoC's and TUM's sequences: a time and the name of a file per line.
_IMAGE_LISTS = ("data.csv", "rgb.txt")


@dataclass(frozen=True)
class ImageFile:
    """An image file.

    Attributes:
        path: of the file.
        number: of its frame set in the recording, from 0.
        stamp: nanoseconds; ``None`` when what should be its time is none.
    """

    path: Path
    number: int
    stamp: int | None


@dataclass(frozen=True)
class Listing:
    """The images of one or two folders.

    Attributes:
        images: of each stream, in order.
        frame_sets: number of them in the recording, whether they have an image or not.
        timed: whether the stamps are the recording's.
    """

    images: tuple[list[ImageFile], ...]
    frame_sets: int
    timed: bool


def list_folders(root: Path, folders: Sequence[Path], rate: float, report: InputReport) -> Listing:
    """List the images of each folder.

    Times come, in this order, from a list of times and names in the folder (``data.csv`` of
    EuRoC, ``rgb.txt`` of TUM), from ``times.txt`` or ``timestamps.txt``, from the names
    themselves, or from a rate. Where the times are not each stream's own, images of left and right
    are of one frame set when their names have one number, or are equal.

    Args:
        root: of the recording, where a list for all folders may lie.
        folders: of the images of each stream.
        rate: images per second where times are written nowhere.
        report: gets what is assumed.

    Raises:
        RecordingError: when a folder has no images, or images and times do not fit together.
    """
    if len(folders) > 1 and folders[0].resolve() == folders[1].resolve():
        raise RecordingError(f"left and right are both {folders[0]}")
    own = [_own_times(folder, report) for folder in folders]
    if all(images is not None for images in own):
        return Listing(tuple(own), max(map(len, own)), True)
    if any(images is not None for images in own):
        timed, other = sorted(folders, key=lambda folder: own[folders.index(folder)] is None)
        raise RecordingError(f"{timed} tells the times of its images, and {other} does not")
    return _numbered(root, [_images(folder) for folder in folders], rate, report)


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


def _own_times(folder: Path, report: InputReport) -> list[ImageFile] | None:
    """The images of a folder that has times of its own; ``None`` of one that has none."""
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
    return _in_order(files, stamps)


def _listed(path: Path) -> list[ImageFile]:
    """Images of a list of times and names."""
    rows = [(row, _image_name(row)) for row in rows_of(path)]
    rows = [(row, name) for row, name in rows if name is not None]
    if not rows:
        raise RecordingError(f"{path} names no image")
    words = [next((word for word in row if word != name), "") for row, name in rows]
    # EuRoC keeps the images of a list in a folder beside it.
    folder = path.parent / "data" if _has_data(path.parent) else path.parent
    return _in_order([folder / name for _, name in rows], parse_times(words, str(path)))


def _with_times(path: Path, files: Sequence[Path], report: InputReport) -> list[ImageFile]:
    """Images of one folder with the times of a file."""
    rows = rows_of(path)
    if any(map(_image_name, rows)):
        return _listed(path)
    by_stem = {file.stem: file for file in files}
    if 2 * sum(len(row) > 1 and row[0] in by_stem for row in rows) > len(rows):  # TUM mono
        stamps = parse_times([row[1] if len(row) > 1 else "" for row in rows], str(path))
        missing = files[0].parent, files[0].suffix
        listed = [by_stem.pop(row[0], missing[0] / (row[0] + missing[1])) for row in rows]
        return _in_order([*listed, *by_stem.values()], [*stamps, *[None] * len(by_stem)])
    keys = _keys(files)
    return _timed(path, keys, [dict(zip(keys, files, strict=True))], report)[0]


def _image_name(row: Sequence[str]) -> str | None:
    """The name of an image among the words of a line."""
    return next((word for word in row if is_image_name(Path(word).name)), None)


def _in_order(files: Sequence[Path], stamps: Sequence[int | None]) -> list[ImageFile]:
    return [
        ImageFile(file, k, stamp) for k, (file, stamp) in enumerate(zip(files, stamps, strict=True))
    ]


def _numbered(
    root: Path, files: Sequence[Sequence[Path]], rate: float, report: InputReport
) -> Listing:
    """Images that differ in their numbers or names alone."""
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
        images = _timed(path, union, by_key, report)
        frame_sets = len(words_of(path))
        return Listing(tuple(images), max(frame_sets, len(union)), True)
    report.notice(
        f"{root} has no times of its images: {rate:g} images per second are assumed, from 0 s"
    )
    place = _places(union)
    images = [
        [
            ImageFile(each[key], place[key], round(place[key] * 1e9 / rate))
            for key in union
            if key in each
        ]
        for each in by_key
    ]
    return Listing(tuple(images), max(place.values()) + 1, False)


def _timed(
    path: Path, keys: Sequence[int | str], files: Sequence[dict], report: InputReport
) -> list[list[ImageFile]]:
    """Images of each stream with the times of a file that has one for each frame set."""
    words = words_of(path)
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
        [ImageFile(each[key], place[key], stamps[place[key]]) for key in keys if key in each]
        for each in files
    ]


def _places(keys: Sequence[int | str]) -> dict[int | str, int]:
    """The frame set of each key: numbers keep their gaps, in units of their common step."""
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
