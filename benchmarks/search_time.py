"""What looking for other viewpoints costs, where there are none to find: the longest search.

    python benchmarks/search_time.py PHOTOGRAPHS --threads 2

Each photograph, as 640x480, is matched with the next one, which shows something else; the time is
that of both images from the pixels to the homography, without a search and with one.
"""

from __future__ import annotations

import argparse
import itertools
import time
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from coarse_loftr_lab.evaluation.data.photographs import find_photographs
from coarse_loftr_lab.evaluation.tables import Table
from coarse_loftr_ros.images.frame import Frame
from coarse_loftr_ros.matching.frame_matching import MatchSettings
from coarse_loftr_ros.matching.pipeline import Pipeline
from coarse_loftr_ros.matching.pipeline_settings import PipelineSettings
from coarse_loftr_ros.matching.reference_policy import Consecutive
from coarse_loftr_ros.matching.search import SearchSettings
from coarse_loftr_ros.recordings.image_files import read_grey

VIEWS = (0, SearchSettings().views, 11)
SIZE = (640, 480)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("photographs", type=Path)
    parser.add_argument("--pairs", type=int, default=60, help="%(default)s")
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args(arguments)
    files = find_photographs(args.photographs, lambda path: True)
    files = files[:: max(1, len(files) // (args.pairs + 1))][: args.pairs + 1]
    images = [cv2.resize(read_grey(file), SIZE, interpolation=cv2.INTER_AREA) for file in files]
    rows = []
    for views in VIEWS:
        spent = milliseconds(images, views, args.threads)
        cells = np.percentile(spent, (10, 50, 90, 100))
        rows.append((str(views), str(len(spent)), *(f"{cell:.0f}" for cell in cells)))
    columns = ("search.views", "pairs", "10 %, ms", "median", "90 %", "longest")
    print(Table(columns, tuple(rows)).markdown())
    return 0


def milliseconds(images: Sequence[NDArray[np.uint8]], views: int, threads: int) -> list[float]:
    """Time of each image with the next one."""
    match = MatchSettings(search=SearchSettings(views=views))
    pipeline = Pipeline(PipelineSettings(threads=threads), match, Consecutive(), SIZE)
    pipeline.process_pair(Frame(images[0]), Frame(images[1]))  # loads and allocates
    spent = []
    for reference, current in itertools.pairwise(images):
        start = time.perf_counter()
        pipeline.process_pair(Frame(reference), Frame(current))
        spent.append((time.perf_counter() - start) * 1e3)
    return spent


if __name__ == "__main__":
    raise SystemExit(main())
