"""What masks of moving things are worth, and what they cost.

    python benchmarks/masks.py nanodet.yaml                           # pairs, ../shared/data/train
    python benchmarks/masks.py nanodet.yaml --drive ../shared/data/dev/vo/kitti06_stereo_51
    python benchmarks/masks.py nanodet.yaml --time

Pairs: people, vehicles and animals are cut out of photographs in which the detector finds them, and
move by themselves before other photographs, kept out of training, in which it finds nothing. A pair
succeeds where the node's homography has a mean corner error below 3 px; it is wrong where it has
not, and its status says OK. Matched without masks, with those of the detector, and with the true
ones; and as the last of eight images in which it goes there, with a motion mask and without. A
drive: the cut-out of a vehicle is driven ahead of the camera, exactly, as if towing it.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from moving.cut_outs import CutOut, cut_outs
from moving.drive import drive_table
from moving.foreground import SHARES, MovingPair, moving_pair
from numpy.typing import NDArray

from coarse_loftr_lab.evaluation.data.photographs import find_photographs
from coarse_loftr_lab.evaluation.metrics import mean_corner_error
from coarse_loftr_lab.evaluation.tables import text_table
from coarse_loftr_ros.detection.coco import MOVING
from coarse_loftr_ros.detection.description_file import load_description
from coarse_loftr_ros.detection.detector import Detector, DetectorSettings
from coarse_loftr_ros.detection.masks import DetectorMasks
from coarse_loftr_ros.images.frame import Frame
from coarse_loftr_ros.matching.frame_matching import MatchSettings
from coarse_loftr_ros.matching.pipeline import Pipeline
from coarse_loftr_ros.matching.pipeline_settings import PipelineSettings
from coarse_loftr_ros.matching.reference_policy import Consecutive, Keyframe, KeyframeRule
from coarse_loftr_ros.matching.result import Correspondences, Homography, MatchResult, Status
from coarse_loftr_ros.recordings.frame_sets import FrameSet
from coarse_loftr_ros.recordings.image_files import read_grey
from coarse_loftr_ros.recordings.rendered.street import Street

SUCCESS_PX = 3.0
KINDS = ("no mask", "detector's masks", "true masks", "stream, no mask", "stream, motion mask")
IMAGES = 8  # of a stream
VEHICLES = ("truck", "bus", "car", "train")


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("detector", type=Path, help="its description")
    parser.add_argument(
        "--photographs", type=Path, default=Path("../shared/data/train"), metavar="DIR"
    )
    parser.add_argument("--pairs", type=int, default=60, help="of each share (%(default)s)")
    parser.add_argument("--things", type=int, default=40, help="that move (%(default)s)")
    parser.add_argument(
        "--drive", type=Path, metavar="DIR", help="KITTI's layout; instead of pairs"
    )
    parser.add_argument(
        "--pairing",
        choices=("consecutive", "keyframe"),
        default="consecutive",
        help="of the drive (%(default)s)",
    )
    parser.add_argument("--time", action="store_true", help="of masks, not pairs")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--score", type=float, default=0.35, help="of masks (%(default)s)")
    args = parser.parse_args()
    settings = DetectorSettings(threads=args.threads)
    masks = DetectorMasks(Detector(load_description(args.detector), settings))
    if args.time:
        print(time_table(masks, args.photographs, args.threads))
        return 0
    everything = find_photographs(args.photographs, lambda path: True)
    if args.drive is not None:
        things = cut_outs(everything, masks.detector, VEHICLES, 1)
        print(f"{things[0].name} drives ahead")
        print(drive_table(args.drive, things[0], masks, args.threads, args.pairing))
        return 0
    things = cut_outs(everything, masks.detector, MOVING, args.things)
    empty = [path for path in find_photographs(args.photographs) if is_empty(masks, path)]
    print(
        f"{len(things)} things before {len(empty)} photographs without any; {args.pairs} pairs each"
    )
    masks.detector.look_for((), args.score)
    print(pairs_table(empty, things, masks, args.pairs, args.threads))
    return 0


def is_empty(masks: DetectorMasks, path: Path) -> bool:
    """Whether the detector finds nothing in a photograph."""
    return not len(masks.detector.detect(read_grey(path)))


def pairs_table(
    files: Sequence[Path], things: Sequence[CutOut], masks: DetectorMasks, count: int, threads: int
) -> str:
    """Success of each kind of mask by the share that moves."""
    pipeline = make_pipeline(threads)
    rows = []
    for share in SHARES:
        found: dict[str, list[tuple[bool, bool]]] = {kind: [] for kind in KINDS}
        thing, caught, rest, kept = 0, 0, 0, 0  # pixels
        on_it: dict[str, list[float]] = {kind: [] for kind in KINDS[3:]}  # shares of matches
        for index in range(count):
            stream = moving_pair(files, things, share, index, IMAGES)
            pair = replace(
                stream, images=stream.images[:: IMAGES - 1], covers=stream.covers[:: IMAGES - 1]
            )
            made = [masks.mask(image) for image in pair.images]
            for mask, cover in zip(made, pair.covers, strict=True):
                thing += cover.sum()
                caught += (cover & (mask == 0)).sum()
                rest += (~cover).sum()
                kept += (~cover & (mask != 0)).sum()
            true = [np.where(grown(cover), 0, 255).astype(np.uint8) for cover in pair.covers]
            for kind, each in zip(KINDS[:3], (None, made, true), strict=True):
                found[kind].append(judged(pair, matched(pipeline, pair, each)))
            for kind, on in zip(KINDS[3:], (False, True), strict=True):
                result = streamed(pipeline, stream, on)
                found[kind].append(judged(stream, result.homography))
                on_it[kind].append(share_on(result.correspondences, stream.covers[-1]))
        cells = [
            f"{np.mean([good for good, _ in each]):.0%}, {sum(bad for _, bad in each)} wrong"
            for each in found.values()
        ]
        on_thing = [f"{np.mean(shares):.0%}" for shares in on_it.values()]
        rows.append(
            [f"{share:.0%}", *cells, f"{caught / thing:.0%}", f"{kept / rest:.0%}", *on_thing]
        )
    header = ["covered", *KINDS, "of the thing left out", "of the rest kept"]
    header += [f"matches on it, {kind}" for kind in KINDS[3:]]
    return text_table(header, rows)


def grown(cover: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """A cover and what is near, as far as a detector's masks reach beyond their boxes."""
    return cv2.dilate(cover.astype(np.uint8), np.ones((17, 17), np.uint8)) > 0


def matched(
    pipeline: Pipeline, pair: MovingPair, masks: Sequence[NDArray[np.uint8]] | None
) -> Homography:
    """The homography of the two images alone."""
    frames = [
        Frame(image, stamp=stamp, mask=None if masks is None else masks[stamp])
        for stamp, image in enumerate(pair.images)
    ]
    return pipeline.process_pair(*frames).homography


def streamed(pipeline: Pipeline, pair: MovingPair, motion_mask: bool) -> MatchResult:
    """The last image of a stream matched with the first one."""
    pipeline.start_over()
    pipeline.policy = Keyframe(KeyframeRule(0, 0.0, 0, len(pair.images)))
    pipeline.match_settings = MatchSettings(motion_mask=motion_mask)
    for stamp, image in enumerate(pair.images):
        result = pipeline.process(Frame(image, stamp=stamp))
    return result


def share_on(found: Correspondences, cover: NDArray[np.bool_]) -> float:
    """The share of matches that lie on the moving thing."""
    x, y = np.rint(found.current_points).astype(np.int64).T
    return float(cover[y, x].mean()) if len(found) else 0.0


def judged(pair: MovingPair, homography: Homography) -> tuple[bool, bool]:
    """Whether the homography is right, and whether it is wrong without a word."""
    if homography.status is Status.LOST:
        return False, False
    height, width = pair.images[0].shape
    good = mean_corner_error(homography.matrix, pair.truth, width, height) < SUCCESS_PX
    return good, not good and homography.status is Status.OK


def make_pipeline(threads: int) -> Pipeline:
    """The node's pipeline for one thing after the other."""
    return Pipeline(PipelineSettings(threads=threads), MatchSettings(), Consecutive(), (640, 480))


def time_table(masks: DetectorMasks, folder: Path, threads: int) -> str:
    """Milliseconds of masks and of frames, in turns, so that a busy machine slows both alike."""
    pipeline = make_pipeline(threads)
    masking, matching = [], []
    for number, path in enumerate(find_photographs(folder)[:40]):
        image = cv2.resize(read_grey(path), (640, 480))
        pipeline.process(Frame(image, stamp=2 * number))
        start = time.perf_counter()
        masks.mask(image)
        masked = time.perf_counter()
        pipeline.process(Frame(np.roll(image, 4, 1), stamp=2 * number + 1))
        masking.append((masked - start) * 1e3)
        matching.append((time.perf_counter() - masked) * 1e3)
    mask, frame = np.median(masking), np.median(matching)
    pipeline.start_over()
    pipeline.match_settings = MatchSettings(motion_mask=True)
    street = Street(seconds=2.0, speed=8.0)
    watching, stereo = [], []
    for left, right in zip(street.frames(), street.frames(right=True), strict=True):
        seen = FrameSet(left, right).seen_by(street.intrinsics, street.intrinsics)
        start = time.perf_counter()
        result = pipeline.process_stereo(seen.left, seen.right, rectified=True).temporal
        if result is not None:
            stereo.append((time.perf_counter() - start) * 1e3)
            watching.append(result.timings_ms["motion"])
    watch, pair = np.median(watching), np.median(stereo)
    rows = [
        ["detector's mask", f"{mask:.1f}", f"{mask / frame:.2f}"],
        ["matching", f"{frame:.1f}", "1"],
        ["motion mask, stereo", f"{watch:.2f}", f"{watch / pair:.2f}"],
        ["matching, stereo", f"{pair:.1f}", "1"],
    ]
    return text_table([f"640x480, {threads} threads", "ms (median)", "times a frame"], rows)


if __name__ == "__main__":
    sys.exit(main())
