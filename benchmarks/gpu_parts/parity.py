"""Whether a backend gives the matches of another, from one thread and from several."""

from __future__ import annotations

import argparse
import contextlib
import itertools
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import cv2
import numpy as np

from coarse_loftr_lab.evaluation.data.homography_pair import HomographyPair
from coarse_loftr_lab.evaluation.data.hpatches import HPatches
from coarse_loftr_lab.evaluation.metrics import mean_corner_error
from coarse_loftr_ros.backends.base import Backend, ModelFiles
from coarse_loftr_ros.images.frame import Frame
from coarse_loftr_ros.images.preprocessing import NetworkSize
from coarse_loftr_ros.matching.encoded_frame import EncodedFrame
from coarse_loftr_ros.matching.frame_matching import MatchSettings, match_frames
from coarse_loftr_ros.matching.matcher import Matcher
from coarse_loftr_ros.matching.result import Status
from coarse_loftr_ros.recordings.rendered.flight import Flight
from coarse_loftr_ros.recordings.rendered.scene import draw_landscape

MATCH = MatchSettings()
DETAIL_PIXELS = 1280 * 720


def image_pairs(options: argparse.Namespace) -> list[HomographyPair]:
    """Image pairs with their homographies, all of the size that was asked for."""
    if options.images:
        size = (options.width, options.height)
        pairs = itertools.islice(HPatches(options.images), options.pairs)
        return [_resized(pair, size) for pair in pairs]
    flight = Flight(draw_landscape(), options.pairs / 3, 3.0, options.width, options.height)
    frames = list(flight.frames())
    return [
        HomographyPair(f"flight {k}", a.image, b.image, flight.between(a.stamp, b.stamp))
        for k, (a, b) in enumerate(itertools.pairwise(frames))
    ][: options.pairs]


def _resized(pair: HomographyPair, size: tuple[int, int]) -> HomographyPair:
    maps, images = [], []
    for image in (pair.reference, pair.current):
        images.append(cv2.resize(image, size, interpolation=cv2.INTER_AREA))
        x, y = size[0] / image.shape[1], size[1] / image.shape[0]
        maps.append(np.array([[x, 0, (x - 1) / 2], [0, y, (y - 1) / 2], [0, 0, 1]]))
    return HomographyPair(pair.name, *images, maps[1] @ pair.homography @ np.linalg.inv(maps[0]))


def compare_with_truth(
    backend: Backend, model: ModelFiles, pairs: list[HomographyPair]
) -> list[dict[str, Any]]:
    """For each pair the matches of the network, and the error of the refined homography, px."""
    matcher = Matcher(model, backend)
    found = []
    for pair in pairs:
        frames = [prepare(Frame(image), backend.size) for image in (pair.reference, pair.current)]
        features = [frame.features(matcher) for frame in frames]
        plain = matcher.match(*features, MATCH.confidence_threshold, MATCH.max_matches)
        homography = match_frames(matcher, *frames, MATCH).homography
        error = float("inf")
        if homography.status != Status.LOST:
            height, width = pair.reference.shape
            error = mean_corner_error(homography.matrix, pair.homography, width, height)
        found.append({"matches": plain, "corner_error_px": error})
    return found


def prepare(frame: Frame, size: NetworkSize) -> EncodedFrame:
    """A frame as the pipeline prepares it."""
    return EncodedFrame.prepare(frame, size, size, DETAIL_PIXELS)


def parity(found: list, reference: list, pairs: list[HomographyPair]) -> dict[str, Any]:
    """How alike the matches and homographies of two backends are."""
    overlaps, apart = [], []
    for ours, theirs in zip(found, reference, strict=True):
        a, b = ours["matches"], theirs["matches"]
        union = len(np.union1d(a.point, b.point))
        _, i, j = np.intersect1d(a.point, b.point, return_indices=True)
        overlaps.append(len(i) / union if union else 1.0)
        apart.append(np.linalg.norm(a.current[i] - b.current[j], axis=1))
    apart = np.concatenate(apart)
    errors = [[row["corner_error_px"] for row in rows] for rows in (found, reference)]
    return {
        "pairs": len(pairs),
        "overlap": float(np.mean(overlaps)),
        "points_p50_px": float(np.quantile(apart, 0.5)) if len(apart) else 0.0,
        "points_p95_px": float(np.quantile(apart, 0.95)) if len(apart) else 0.0,
        "corner_error_p50_px": float(np.median(errors[0])),
        "corner_error_p50_px_of_the_cpu": float(np.median(errors[1])),
    }


def threads_agree(
    make: Callable[[], Backend], model: ModelFiles, pairs: list[HomographyPair]
) -> bool:
    """Whether threads that take turns, and two backends at a time, match as one thread does.

    Raises:
        DeviceError: or what else a thread ends with.
    """
    answers: list[bytes] = []

    def use(backend: Backend, turn: threading.Lock) -> None:
        matcher = Matcher(model, backend)
        images = [
            prepare(Frame(i), backend.size).image for i in (pairs[0].reference, pairs[0].current)
        ]
        for _ in range(20):
            with turn:
                found = matcher.match(*map(matcher.encode, images), 0.5, 1000)
            answers.append(found.current.tobytes())

    with contextlib.closing(make()) as one, contextlib.closing(make()) as other:
        use(one, threading.Lock())
        turns = {id(backend): threading.Lock() for backend in (one, other)}
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda each: use(each, turns[id(each)]), (one, one, one, other)))
    return len(answers) == 100 and len(set(answers)) == 1
