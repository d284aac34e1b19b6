"""What happened to each image of a recording: Parquet files, and the curves of a report."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coarse_loftr_ros.matching.result import MatchResult, Status, StereoMatch, StreamResult
from coarse_loftr_ros.odometry.estimate import OdometryEstimate
from coarse_loftr_ros.recordings.frame_sets import FrameSet

__all__ = ["CURVE_BINS", "Series"]

CURVE_BINS = 120
_IMAGES_PER_GROUP = 256
_LEAST_FOR_ROWS = 10  # matches


class Series:
    """Writes ``images.parquet`` and ``matches.parquet`` while a recording is read.

    Memory is that of 256 images' matches, and of nine numbers per image.

    Args:
        folder: to write in.
        matches: whether every match is written; they are nearly all of the bytes.
    """

    def __init__(self, folder: Path, *, matches: bool) -> None:
        import pyarrow as pa
        from pyarrow import parquet

        self._images_schema = _images_schema(pa)
        self._matches_schema = _matches_schema(pa)
        self._arrow = pa
        options = {"compression": "zstd", "write_statistics": False}
        self._images = parquet.ParquetWriter(
            folder / "images.parquet", self._images_schema, **options
        )
        self._matches = None
        if matches:
            self._matches = parquet.ParquetWriter(
                folder / "matches.parquet",
                self._matches_schema,
                use_dictionary=["stamp", "stereo"],
                **options,
            )
        self._rows: list[dict[str, Any]] = []
        self._points: list[dict[str, NDArray]] = []
        self.columns: dict[str, list[float]] = {
            name: []
            for name in (
                "stamp", "status", "matches", "inliers", "coverage", "stereo_matches", "off_row",
                "row_offset_px", "odometry_status",
            )
        }  # fmt: skip

    def add(
        self,
        number: int,
        frames: FrameSet,
        result: StreamResult,
        estimate: OdometryEstimate | None,
    ) -> None:
        """Add an image.

        Args:
            number: of its frame set in the recording.
            frames: of one time.
            result: their matches.
            estimate: of the odometry, where there is one.

        Raises:
            OSError: when it cannot be written.
        """
        row = {"number": number, "stamp": frames.left.stamp}
        if result.temporal is not None:
            row.update(_temporal_row(result.temporal))
            self._add_points(frames.left.stamp, result.temporal, stereo=False)
        if result.stereo is not None:
            row.update(_stereo_row(result.stereo))
            self._add_points(frames.left.stamp, result.stereo, stereo=True)
        if estimate is not None:
            row.update(_odometry_row(estimate))
        self._rows.append(row)
        for name, column in self.columns.items():
            value = row.get(name)
            column.append(np.nan if value is None else value)
        if len(self._rows) == _IMAGES_PER_GROUP:
            self._flush()

    def close(self) -> None:
        """Write the rest.

        Raises:
            OSError: when it cannot be written.
        """
        self._flush()
        self._images.close()
        if self._matches is not None:
            self._matches.close()

    def _add_points(self, stamp: int, result: MatchResult | StereoMatch, *, stereo: bool) -> None:
        if self._matches is None:
            return
        found = result.correspondences
        self._points.append(
            {
                "stamp": np.full(len(found), stamp, np.int64),
                "stereo": np.full(len(found), stereo),
                "reference_x": found.reference_points[:, 0],
                "reference_y": found.reference_points[:, 1],
                "current_x": found.current_points[:, 0],
                "current_y": found.current_points[:, 1],
                "confidence": found.confidence,
                "track_id": found.track_id,
                "inlier": found.inlier,
            }
        )

    def _flush(self) -> None:
        pa = self._arrow
        if self._rows:
            self._images.write_table(pa.Table.from_pylist(self._rows, self._images_schema))
        if self._points:
            arrays = [
                np.concatenate([part[name] for part in self._points])
                for name in self._matches_schema.names
            ]
            self._matches.write_table(pa.table(arrays, self._matches_schema))
        self._rows, self._points = [], []

    def curves(self) -> dict[str, list[float | None]]:
        """At most ``CURVE_BINS`` values over time of what a report draws.

        A bin has the worst status, the fewest inliers and the least coverage of its images, so
        that a short loss is seen in a long recording; and the median offset of stereo rows.
        """
        columns = {name: np.array(values, float) for name, values in self.columns.items()}
        stamps = np.array(self.columns["stamp"], np.int64)
        if not len(stamps):
            return {}
        bins = np.array_split(np.arange(len(stamps)), min(CURVE_BINS, len(stamps)))
        seconds = (stamps - stamps[0]) / 1e9
        reductions = {
            "status": np.max,
            "inliers": np.min,
            "coverage": np.min,
            "row_offset_px": np.median,
            "odometry_status": np.max,
        }
        curves = {"seconds": [round(float(seconds[index].mean()), 3) for index in bins]}
        for name, reduce in reductions.items():
            values = columns[name]
            if np.isfinite(values).any():
                curves[name] = [_reduced(values[index], reduce) for index in bins]
        return curves


def _reduced(values: NDArray[np.float64], reduce: Any) -> float | None:
    known = values[np.isfinite(values)]
    return round(float(reduce(known)), 3) if len(known) else None


def _temporal_row(result: MatchResult) -> dict[str, Any]:
    homography = result.homography
    lost = homography.status == Status.LOST
    return {
        "reference_stamp": result.reference.stamp,
        "status": int(homography.status),
        "reason": homography.reason,
        "matches": homography.match_count,
        "inliers": homography.inlier_count,
        "support": homography.support,
        "coverage": homography.coverage,
        "rms_px": None if lost else homography.rms_px,
        "homography": None if lost else homography.matrix.ravel().tolist(),
        "new_reference": result.new_reference,
    }


def _stereo_row(match: StereoMatch) -> dict[str, Any]:
    count = len(match.correspondences) + match.off_row
    return {
        "stereo_matches": len(match.correspondences),
        "off_row": match.off_row,
        "negative_disparity": match.negative,
        # The median of a few matches says nothing; of none it would be zero.
        "row_offset_px": match.row_offset_px if count >= _LEAST_FOR_ROWS else None,
    }


def _odometry_row(estimate: OdometryEstimate) -> dict[str, Any]:
    return {
        "odometry_status": int(estimate.status),
        "odometry_reason": estimate.reason,
        "odometry_inliers": estimate.inliers,
        "landmarks": estimate.landmarks,
        "metric": estimate.metric,
    }


def _images_schema(pa: Any) -> Any:
    return pa.schema(
        [
            ("number", pa.int32()),
            ("stamp", pa.int64()),
            ("reference_stamp", pa.int64()),
            ("status", pa.int8()),
            ("reason", pa.string()),
            ("matches", pa.int32()),
            ("inliers", pa.int32()),
            ("support", pa.int32()),
            ("coverage", pa.float32()),
            ("rms_px", pa.float32()),
            ("homography", pa.list_(pa.float64())),
            ("new_reference", pa.string()),
            ("stereo_matches", pa.int32()),
            ("off_row", pa.int32()),
            ("negative_disparity", pa.int32()),
            ("row_offset_px", pa.float32()),
            ("odometry_status", pa.int8()),
            ("odometry_reason", pa.string()),
            ("odometry_inliers", pa.int32()),
            ("landmarks", pa.int32()),
            ("metric", pa.bool_()),
        ]
    )


def _matches_schema(pa: Any) -> Any:
    points = ("reference_x", "reference_y", "current_x", "current_y", "confidence")
    return pa.schema(
        [
            ("stamp", pa.int64()),
            ("stereo", pa.bool_()),
            *((name, pa.float32()) for name in points),
            ("track_id", pa.uint32()),
            ("inlier", pa.bool_()),
        ]
    )
