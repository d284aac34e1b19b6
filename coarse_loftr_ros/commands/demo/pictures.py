"""The answers of a demonstration drawn on the images that they speak of."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from coarse_loftr_ros.commands.common.images import write_image
from coarse_loftr_ros.commands.common.video import write_video
from coarse_loftr_ros.commands.demo.player import Answers
from coarse_loftr_ros.commands.demo.report import match_result, nanoseconds
from coarse_loftr_ros.images.decoding import ImageError
from coarse_loftr_ros.images.frame import Frame
from coarse_loftr_ros.matching.overlay import draw_overlay
from coarse_loftr_ros.matching.result import MatchResult, Status
from coarse_loftr_ros.recordings.bag import decode
from coarse_loftr_ros.recordings.bags.reader import BagReader, ImageTopic

__all__ = ["write_pictures"]

_MOST_MOTION_PX = 60.0  # longer lines make no better picture


def write_pictures(folder: Path, bag: Path, topic: ImageTopic, answers: Answers) -> list[Path]:
    """Write ``overlay.png``, the most telling answer, and a video of all of them.

    Returns:
        The files.
    """
    stamps = sorted(answers.homographies.keys() & answers.correspondences.keys())
    best = max(stamps, key=lambda stamp: _worth(answers, stamp))
    chosen: list[NDArray[np.uint8]] = []

    def pictures() -> Iterator[NDArray[np.uint8]]:
        for result in _results(bag, topic, answers):
            picture = draw_overlay(result)
            if result.current.stamp == best:
                chosen.append(draw_overlay(_enlarged(result), max_lines=500))
            # Encoders want even sides.
            yield picture[: picture.shape[0] // 2 * 2, : picture.shape[1] // 2 * 2]

    drawn = pictures()
    first = next(drawn, None)
    if first is None:
        return []
    size = (first.shape[1], first.shape[0])

    def same_size() -> Iterator[NDArray[np.uint8]]:
        yield first
        yield from (picture for picture in drawn if picture.shape == first.shape)

    video = write_video(folder / "overlay.mp4", same_size(), size, _rate(stamps))
    overlay = folder / "overlay.png"
    write_image(overlay, chosen[0] if chosen else first)
    return [overlay, video]


def _results(bag: Path, topic: ImageTopic, answers: Answers) -> Iterator[MatchResult]:
    """The answers as match results, in order of time."""
    references = {
        nanoseconds(message.reference_header.stamp) for message in answers.homographies.values()
    }
    kept: dict[int, Frame] = {}
    last = max(answers.homographies)
    with BagReader(bag) as reader:
        for message in reader.messages([topic]):
            stamp = message.stamp
            if stamp > last:
                return
            if stamp not in references and stamp not in answers.homographies:
                continue
            try:
                frame = Frame(decode(message.message, topic.compressed), stamp)
            except ImageError:
                continue
            homography = answers.homographies.get(stamp)
            correspondences = answers.correspondences.get(stamp)
            if homography is not None and correspondences is not None:
                reference = kept.get(nanoseconds(homography.reference_header.stamp))
                if reference is not None:
                    yield match_result(correspondences, homography, reference, frame)
            if stamp in references:
                # A reference is never older than the one before it.
                kept = {**dict(list(kept.items())[-1:]), stamp: frame}


def _enlarged(result: MatchResult) -> MatchResult:
    """The result as of images of twice the size: thin lines and sharp letters for a still."""
    resize = np.array([[2.0, 0.0, 0.5], [0.0, 2.0, 0.5], [0.0, 0.0, 1.0]])  # of pixel centres
    points, homography = result.correspondences, result.homography
    return replace(
        result,
        reference=_enlarged_frame(result.reference),
        current=_enlarged_frame(result.current),
        correspondences=replace(
            points,
            reference_points=points.reference_points * 2 + np.float32(0.5),
            current_points=points.current_points * 2 + np.float32(0.5),
        ),
        homography=replace(homography, matrix=resize @ homography.matrix @ np.linalg.inv(resize)),
    )


def _enlarged_frame(frame: Frame) -> Frame:
    size = (2 * frame.width, 2 * frame.height)
    return replace(frame, image=cv2.resize(frame.image, size, interpolation=cv2.INTER_CUBIC))


def _worth(answers: Answers, stamp: int) -> float:
    """How much there is to see: many inliers that moved visibly."""
    homography, matches = answers.homographies[stamp], answers.correspondences[stamp]
    if homography.status != Status.OK:
        return 0.0
    reference = np.array(matches.reference_points, float).reshape(-1, 2)
    current = np.array(matches.current_points, float).reshape(-1, 2)
    motion = float(np.median(np.linalg.norm(current - reference, axis=1)))
    return homography.inlier_count * min(motion, _MOST_MOTION_PX)


def _rate(stamps: list[int]) -> float:
    """Pictures per second that play the video in the time of the recording."""
    if len(stamps) < 2 or stamps[-1] == stamps[0]:
        return 10.0
    return min(120.0, max(1.0, (len(stamps) - 1) * 1e9 / (stamps[-1] - stamps[0])))
