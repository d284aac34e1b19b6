"""Temporal matches, brought together with the stereo matches of the same images.

They come on two topics, which have no common order.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from coarse_loftr_msgs.msg import Correspondences
from coarse_loftr_ros.node.common.conversion import stamp_ns

__all__ = ["StereoSynchronizer", "TemporalMessage"]

# Stereo matches that are kept; of the reference and the images after it only two are needed.
_KEPT = 32
# Both topics come from one matcher: where time went back on one of them for so long already, the
# messages by which it would have shown on the other were lost.
_MOST_APART_S = 2.0


@dataclass(frozen=True)
class TemporalMessage:
    """Temporal matches as they were received.

    Attributes:
        message: the matches.
        reference_stamp: of their reference, ns.
        stamp: of their current image, ns.
        received_s: when they came, seconds of any steady clock.
    """

    message: Correspondences
    reference_stamp: int
    stamp: int
    received_s: float


@dataclass(frozen=True)
class _Pass:
    """One run of time that only goes ahead; a recording that is played again begins another.

    Attributes:
        number: how often time had gone back before.
        latest: stamp of the newest message, ns; ``None`` before the first one.
    """

    number: int = 0
    latest: int | None = None

    def followed_by(self, stamp: int) -> _Pass:
        """The pass of the next message of the same topic."""
        back = self.latest is not None and stamp < self.latest
        return _Pass(self.number + back, stamp)


class StereoSynchronizer:
    """Keeps temporal matches in order; each waits for its stereo matches, but not for ever.

    Where time goes back (a recording that loops), stamps repeat: each topic counts how often it
    did, and temporal matches get the stereo matches of their own pass alone.

    Args:
        stereo: whether to wait at all.
        capacity: temporal matches that may wait; the oldest beyond it goes on without.
    """

    def __init__(self, stereo: bool, capacity: int) -> None:
        self._stereo = stereo
        self._capacity = capacity
        self._waiting: deque[tuple[int, TemporalMessage]] = deque()  # with their passes
        self._stereo_matches: dict[tuple[int, int], Correspondences] = {}  # by pass and stamp
        self._temporal_pass = self._stereo_pass = _Pass()
        self._apart_since: float | None = None  # when the passes of both began to differ
        self._using = 0  # pass of the temporal matches that were returned last
        self._used: int | None = None  # stamp of those used last, while they are of that pass
        self._reference: tuple[int, int] | None = None  # pass and stamp, of the latest ones

    def __len__(self) -> int:
        """Temporal matches that wait."""
        return len(self._waiting)

    def restart(self) -> None:
        """What comes next need not follow what was used."""
        self._used = None

    def add_stereo(self, message: Correspondences, received_s: float) -> None:
        """Take the stereo matches of two images with one stamp.

        Args:
            message: the matches.
            received_s: when they came, on the clock of ``TemporalMessage.received_s``.
        """
        stamp = stamp_ns(message.reference_header.stamp)
        self._stereo_pass = self._stereo_pass.followed_by(stamp)
        self._align_passes(received_s)
        key = self._stereo_pass.number, stamp
        self._stereo_matches.pop(key, None)
        self._stereo_matches[key] = message
        if len(self._stereo_matches) > _KEPT:
            # The first that came, but not those of a keyframe while matches are refused because a
            # camera is not known yet.
            del self._stereo_matches[
                next(kept for kept in self._stereo_matches if kept != self._reference)
            ]

    def add_temporal(self, message: Correspondences, received_s: float) -> None:
        """Take temporal matches.

        Args:
            message: the matches.
            received_s: when they came, seconds of any steady clock.
        """
        reference_stamp = stamp_ns(message.reference_header.stamp)
        stamp = stamp_ns(message.header.stamp)
        first = self._temporal_pass.latest is None
        self._temporal_pass = self._temporal_pass.followed_by(stamp)
        if first:
            # How often time went back before is not known: it is the pass that has its reference.
            known = (key[0] for key in self._stereo_matches if key[1] == reference_stamp)
            self._temporal_pass = _Pass(min(known, default=self._stereo_pass.number), stamp)
        self._align_passes(received_s)
        number = self._temporal_pass.number
        self._waiting.append((number, TemporalMessage(message, reference_stamp, stamp, received_s)))
        self._reference = number, reference_stamp

    def stereo_of(self, stamp: int) -> Correspondences | None:
        """The stereo matches of a stamp, if received, in the pass of what was returned last."""
        return self._stereo_matches.get((self._using, stamp))

    def next(self, now_s: float, timeout_s: float) -> TemporalMessage | None:
        """The oldest temporal matches, once theirs are complete or have waited long enough.

        Args:
            now_s: on the clock of ``received_s``.
            timeout_s: longest time to wait.
        """
        if not self._waiting:
            return None
        number, first = self._waiting[0]
        late = now_s - first.received_s >= timeout_s or len(self._waiting) > self._capacity
        if self._stereo and not late and not self._complete(number, first):
            return None
        if number != self._using:
            self._using, self._used = number, None
        return self._waiting.popleft()[1]

    def done(self, used: TemporalMessage) -> None:
        """These matches were used: older stereo matches are let go, but not the reference's.

        A reference stays for many images, and a restart begins with it.
        """
        self._used = used.stamp
        reference = self._using, used.reference_stamp
        self._stereo_matches = {
            key: message
            for key, message in self._stereo_matches.items()
            if key >= (self._using, used.stamp) or key == reference
        }

    def _complete(self, number: int, temporal: TemporalMessage) -> bool:
        """Whether the stereo matches of both images are known, or no longer needed."""
        used = (
            number == self._using
            and self._used is not None
            and temporal.reference_stamp <= self._used
        )
        known = self._stereo_matches
        return (number, temporal.stamp) in known and (
            used or (number, temporal.reference_stamp) in known
        )

    def _align_passes(self, now_s: float) -> None:
        """Passes of both topics are the same ones; where one was not noticed, both go on alike."""
        if self._temporal_pass.number == self._stereo_pass.number:
            self._apart_since = None
        elif self._apart_since is None:
            self._apart_since = now_s
        elif now_s - self._apart_since > _MOST_APART_S:
            latest = max(self._temporal_pass.number, self._stereo_pass.number)
            self._temporal_pass = _Pass(latest, self._temporal_pass.latest)
            self._stereo_pass = _Pass(latest, self._stereo_pass.latest)
            self._apart_since = None
