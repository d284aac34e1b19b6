"""Small folders and recordings whose images say which they are by their grey level."""

from collections.abc import Callable, Iterable
from pathlib import Path

import cv2
import numpy as np
import pytest

from coarse_loftr_ros.recordings.input_report import InputReport
from coarse_loftr_ros.recordings.opening import open_source
from coarse_loftr_ros.recordings.source import SourceImage

WIDTH, HEIGHT = 24, 16
PROJECTION = "20 0 11.5 {} 0 20 7.5 0 0 0 1 0"

Read = Callable[..., tuple[list[SourceImage], InputReport]]


def grey(level: int) -> np.ndarray:
    return np.full((HEIGHT, WIDTH), level, np.uint8)


def write_images(folder: Path, names: Iterable[str], first: int = 10) -> Path:
    """Images of grey levels ``first``, ``first + 1``, ..."""
    folder.mkdir(parents=True, exist_ok=True)
    for level, name in enumerate(names, first):
        assert cv2.imwrite(str(folder / name), grey(level))
    return folder


def level(image: SourceImage) -> int:
    return int(image.frame.image[0, 0])


@pytest.fixture
def read() -> Read:
    """All images of a recording, and what became of the others."""

    def run(path: Path, *streams: str, rate: float = 10.0, strict: bool = False):
        report = InputReport(strict=strict)
        with open_source(path, streams or [None], rate, report) as source:
            return list(source.images()), report

    return run
