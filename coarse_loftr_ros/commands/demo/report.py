"""What a demonstration has shown: figures, and whether they are good."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coarse_loftr_ros.commands.common.table import two_columns
from coarse_loftr_ros.images.frame import Frame
from coarse_loftr_ros.matching.homography import transfer
from coarse_loftr_ros.matching.result import Correspondences, Homography, MatchResult, Status

__all__ = ["DemoReport", "match_result", "summarise"]

# A result is bad beyond these. They are for finding what is broken: a slow machine may skip
# frames, and is not broken.
_LEAST_ANSWERED = 0.15
_MOST_LOST = 0.2
_MOST_LOST_OWN_BAG = 0.5
_MOST_ERROR_PX = 2.0


@dataclass(frozen=True, eq=False)
class DemoReport:
    """Figures of one run.

    Attributes:
        sent: images published.
        answered: images whose correspondences and homography came.
        rate_hz: answers per second while the images played.
        latency_ms: per answer, from publishing the image to receiving its correspondences.
        statuses: per answer.
        references: different reference images.
        matches: per answer.
        inliers: per answer.
        errors_px: per answer that is not LOST, the mean distance of the image's four corners from
            where the truth moves them; ``None`` without truth.
    """

    sent: int
    answered: int
    rate_hz: float
    latency_ms: NDArray[np.float64]
    statuses: list[Status]
    references: int
    matches: NDArray[np.int64]
    inliers: NDArray[np.int64]
    errors_px: NDArray[np.float64] | None

    def table(self, title: str) -> str:
        """The figures for people."""
        rows = [
            ("images sent", f"{self.sent}"),
            ("images answered", f"{self.answered} (the first has nothing to be matched with)"),
        ]
        if self.answered:
            count = self.statuses.count
            rows += [
                ("rate", f"{self.rate_hz:.1f} Hz"),
                ("latency p50 / p95", f"{_percentiles(self.latency_ms)} ms, published to received"),
                ("OK / DEGRADED / LOST", " / ".join(f"{count(status)}" for status in Status)),
                ("reference images", f"{self.references}"),
                ("matches, median", f"{np.median(self.matches):.0f}"),
                ("inliers, median", f"{np.median(self.inliers):.0f}"),
            ]
        if self.errors_px is not None and len(self.errors_px):
            median, high = np.percentile(self.errors_px, (50, 95))
            rows.append(
                (
                    "homography error p50 / p95",
                    f"{median:.2f} / {high:.2f} px, mean of four corners against the truth",
                )
            )
        return two_columns(rows, title)

    def faults(self) -> list[str]:
        """What is bad about it, as sentences; empty when it is good."""
        faults = []
        expected = max(1, self.sent - 1)
        if self.answered < _LEAST_ANSWERED * expected:
            faults.append(
                f"{self.answered} of {expected} images were answered; "
                f"at least {_LEAST_ANSWERED:.0%} are wanted"
            )
        lost = self.statuses.count(Status.LOST)
        allowed = _MOST_LOST_OWN_BAG if self.errors_px is None else _MOST_LOST
        if lost > allowed * max(1, self.answered):
            faults.append(
                f"{lost} of {self.answered} answers are LOST; at most {allowed:.0%} are allowed"
            )
        if self.errors_px is not None and len(self.errors_px):
            median = float(np.median(self.errors_px))
            if median > _MOST_ERROR_PX:
                faults.append(
                    f"the median homography error is {median:.2f} px; at most "
                    f"{_MOST_ERROR_PX:g} px is allowed"
                )
        return faults


def summarise(
    sent: dict[int, float],
    received: dict[int, float],
    homographies: dict[int, Any],
    truth: Callable[[int, int], NDArray[np.float64]] | None,
) -> DemoReport:
    """Reduce a run to figures.

    Args:
        sent: per stamp of an image, when it was published, s.
        received: per stamp, when its correspondences arrived, s.
        homographies: per stamp, the ``HomographyStamped`` message.
        truth: the true homography of (reference stamp, current stamp).
    """
    stamps = sorted(received.keys() & homographies.keys() & sent.keys())
    messages = [homographies[stamp] for stamp in stamps]
    statuses = [Status(message.status) for message in messages]
    references = [nanoseconds(message.reference_header.stamp) for message in messages]
    errors = None
    if truth is not None:
        errors = np.array(
            [
                _corner_error(message, truth(reference, stamp))
                for message, reference, stamp in zip(messages, references, stamps, strict=True)
                if message.status != Status.LOST
            ]
        )
    received_at = [received[stamp] for stamp in stamps]
    duration = max(received_at) - min(received_at) if len(stamps) > 1 else 0.0
    return DemoReport(
        sent=len(sent),
        answered=len(stamps),
        rate_hz=(len(stamps) - 1) / duration if duration else 0.0,
        latency_ms=np.array([(received[stamp] - sent[stamp]) * 1e3 for stamp in stamps]),
        statuses=statuses,
        references=len(set(references)),
        matches=np.array([message.match_count for message in messages], np.int64),
        inliers=np.array([message.inlier_count for message in messages], np.int64),
        errors_px=errors,
    )


def match_result(
    correspondences: Any, homography: Any, reference: Frame, current: Frame
) -> MatchResult:
    """The match result that two messages and the images they speak of describe."""
    points = Correspondences(
        np.array(correspondences.reference_points, np.float32).reshape(-1, 2),
        np.array(correspondences.current_points, np.float32).reshape(-1, 2),
        np.array(correspondences.confidence, np.float32),
        np.array(correspondences.track_id, np.uint32),
        np.array(correspondences.inlier, bool),
    )
    estimate = Homography(
        np.array(homography.matrix, np.float64).reshape(3, 3),
        homography.match_count,
        homography.inlier_count,
        homography.inlier_count,  # the message has no support, and a picture needs none
        homography.rms_px,
        homography.coverage,
        Status(homography.status),
        homography.reason,
    )
    return MatchResult(reference, current, points, estimate)


def nanoseconds(stamp: Any) -> int:
    """A ``builtin_interfaces/Time`` in nanoseconds."""
    return int(stamp.sec) * 1_000_000_000 + int(stamp.nanosec)


def _corner_error(message: Any, truth: NDArray[np.float64]) -> float:
    """Mean distance, px, between the reference's corners moved by the estimate and the truth."""
    right, bottom = message.reference_width - 1, message.reference_height - 1
    corners = np.array([[0, 0], [right, 0], [right, bottom], [0, bottom]], float)
    estimate = np.array(message.matrix, float).reshape(3, 3)
    return float(
        np.linalg.norm(transfer(estimate, corners) - transfer(truth, corners), axis=1).mean()
    )


def _percentiles(values: NDArray[np.float64]) -> str:
    return " / ".join(f"{value:.0f}" for value in np.percentile(values, (50, 95)))
