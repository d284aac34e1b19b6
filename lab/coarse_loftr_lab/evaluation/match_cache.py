"""Matches on disk, so that a change of a metric, or of one method, computes nothing else anew.

Scoring is apart from matching (the idea is glue-factory's): evaluations ask methods for matches
as always, and a method wrapped in :class:`CachedMatcher` answers from disk what it has answered
before. An answer is filed under what it depends on: the method's code, settings, weights and
libraries on one side, the content of both images on the other. The names of data sets and pairs
are not part of it: equal images have equal matches, whatever they are called.
"""

from __future__ import annotations

import hashlib
import json
import os
import zipfile
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from coarse_loftr_ros.features.pair_matcher import PairMatcher, PointMatches
from coarse_loftr_ros.files.whole_files import whole_file

__all__ = ["CachedMatcher", "default_folder"]

_ARRAYS = ("reference_points", "current_points", "confidence")


def default_folder() -> Path:
    """``coarse_loftr_ros/evaluation`` in the user's cache folder."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "coarse_loftr_ros" / "evaluation"


class _CachedImage:
    """An image, its digest, and its description for when it is needed."""

    def __init__(self, image: NDArray[np.uint8], describe: Callable[..., Any]) -> None:
        self._image = image
        self._describe = describe

    @cached_property
    def digest(self) -> str:
        digest = hashlib.sha256(str(self._image.shape).encode())
        digest.update(np.ascontiguousarray(self._image))
        return digest.hexdigest()[:20]

    @cached_property
    def described(self) -> Any:
        return self._describe(self._image)


class CachedMatcher:
    """A method whose matches are kept on disk; itself a ``PairMatcher``.

    Args:
        matcher: the method; its ``settings`` identify its version.
        folder: of the cache, shared by all methods; made when missing.

    Attributes:
        computed: matches that were computed.
        found: matches that were read.

    Raises:
        OSError: when the folder cannot be made.
    """

    def __init__(self, matcher: PairMatcher, folder: Path) -> None:
        self.name = matcher.name
        self.settings = matcher.settings
        self.computed = self.found = 0
        self._matcher = matcher
        libraries = {"opencv": cv2.__version__, "numpy": np.__version__}
        facts = json.dumps({**matcher.settings, **libraries}, sort_keys=True, indent=1)
        self._folder = folder / hashlib.sha256(facts.encode()).hexdigest()[:20]
        self._folder.mkdir(parents=True, exist_ok=True)
        # For whoever looks into the folder.
        with whole_file(self._folder / "method.json") as new:
            new.write_text(facts + "\n")

    def describe(self, image: NDArray[np.uint8]) -> _CachedImage:
        """The image; it is described when it meets an image with which it was never matched."""
        return _CachedImage(image, self._matcher.describe)

    def match(self, reference: _CachedImage, current: _CachedImage) -> PointMatches:
        """Matches from disk, or else of the method."""
        file = self._folder / f"{reference.digest}-{current.digest}.npz"
        matches = _read(file)
        if matches is not None:
            self.found += 1
            return matches
        matches = self._matcher.match(reference.described, current.described)
        self.computed += 1
        _write(file, matches)
        return matches


def _read(file: Path) -> PointMatches | None:
    """The matches of a file; ``None`` when it is missing or damaged."""
    try:
        with np.load(file) as stored:
            matches = PointMatches(*(stored[name] for name in _ARRAYS))
    except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile):
        return None
    count = len(matches)
    shapes = [getattr(matches, name).shape for name in _ARRAYS]
    return matches if shapes == [(count, 2), (count, 2), (count,)] else None


def _write(file: Path, matches: PointMatches) -> None:
    """Write under another name first: two runs may share the folder, and one may be interrupted."""
    with whole_file(file) as new, new.open("wb") as stream:
        np.savez(stream, **{name: getattr(matches, name) for name in _ARRAYS})
