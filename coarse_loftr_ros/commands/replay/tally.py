"""The table that ``coarse-loftr replay`` prints at its end."""

from __future__ import annotations

from statistics import median

from coarse_loftr_ros.commands.common.recording import rejected_rows
from coarse_loftr_ros.commands.common.table import two_columns
from coarse_loftr_ros.matching.result import StreamResult
from coarse_loftr_ros.recordings.source import Source

__all__ = ["Tally"]


class Tally:
    """Counts of a replay, for the table at its end.

    Attributes:
        frames: images that took part.
        seconds: that the replay took.
    """

    def __init__(self) -> None:
        self.frames = 0
        self.seconds = 0.0
        self._results: list[tuple[str, int, int, float]] = []
        self._references: set[int] = set()
        self._stereo: list[int] = []
        self._off_row = 0

    def add(self, result: StreamResult) -> None:
        """Count the matches of a set of frames."""
        stereo_ms = 0.0
        if result.stereo is not None:
            self._stereo.append(len(result.stereo.correspondences))
            self._off_row += result.stereo.off_row
            stereo_ms = result.stereo.total_ms
        if result.temporal is None:
            return
        homography = result.temporal.homography
        self._references.add(result.temporal.reference.stamp)
        self._results.append(
            (
                homography.status.name,
                homography.match_count,
                homography.inlier_count,
                result.temporal.timings_ms["total"] + stereo_ms,
            )
        )

    def table(self, source: Source) -> str:
        """The counts as text, with what was rejected of the source."""
        status = [row[0] for row in self._results]
        rows = [("images", str(self.frames)), ("matched", str(len(status)))]
        rows += rejected_rows(source)
        if status:
            rows += [(name, str(status.count(name))) for name in ("OK", "DEGRADED", "LOST")]
            rows += [
                ("references", str(len(self._references))),
                ("matches, median", f"{median(row[1] for row in self._results):.0f}"),
                ("inliers, median", f"{median(row[2] for row in self._results):.0f}"),
                ("pipeline, median", f"{median(row[3] for row in self._results):.1f} ms"),
            ]
        if self._stereo:
            rows += [
                ("left with right, median", f"{median(self._stereo):.0f}"),
                ("off their row", str(self._off_row)),
            ]
        rows.append(("images per second", f"{self.frames / self.seconds:.1f}"))
        return two_columns(rows, source.description)
