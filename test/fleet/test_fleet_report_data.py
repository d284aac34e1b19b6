"""What the report of a fleet shows of its results."""

import numpy as np
import pytest

from coarse_loftr_ros.fleet.folder import RESULT, FleetFolder
from coarse_loftr_ros.fleet.manifest import Manifest
from coarse_loftr_ros.fleet.report.data import report_data
from coarse_loftr_ros.fleet.series import CURVE_BINS, Series
from coarse_loftr_ros.fleet.settings import Settings
from coarse_loftr_ros.fleet.sources import Recording
from coarse_loftr_ros.matching.result import Status


def done(day, row_offset=0.0, moments=()):
    """A stereo recording of a day."""
    return {
        "source": f"/bags/{day}", "status": "done", "reason": "", "images": 20, "timed": True,
        "start_ns": (20_000 + day) * 86_400_000_000_000, "seconds": 1.9,
        "mode": "stereo", "camera": "c0ffee",
        "stereo": {
            "row_offset_px": row_offset,
            "row_offset_quartiles_px": [row_offset - 0.1, row_offset + 0.1],
            "row_drift_px_per_min": 0.25,
            "off_row_share": 0.01,
        },
        "odometry": None, "odometry_lacking": "mode is none", "truth_lacking": "",
        "input": {"rejected": {"damaged": {"count": 2, "example": "no PNG"}}, "notices": []},
        "moments": [
            {"picture": f"moment_{number}.webp", "stamp": 0, "after": 0.5, "status": status.name,
             "reason": "", "matches": 9, "inliers": 5, "coverage": coverage}
            for number, (status, coverage) in enumerate(moments, 1)
        ],
    }  # fmt: skip


@pytest.fixture
def shown(tmp_path):
    """What is shown of results by the names of their recordings."""

    def make(results):
        folder, settings = FleetFolder(tmp_path), Settings()
        for name, result in results.items():
            with folder.writing(name, settings.name) as new:
                folder.write_json(new / RESULT, result)
        recordings = tuple(Recording(name, f"/bags/{name}") for name in [*results, "later"])
        return report_data(folder, Manifest(recordings, (settings,), True, False, {}, {}))

    return make


def test_a_camera_that_drifts_is_seen_in_the_order_of_time(shown):
    offsets = [0.0, 0.1, 0.2, 0.3, 0.9, 1.0, 1.1]
    days = [3, 6, 0, 5, 1, 4, 2]  # names are in another order
    data = shown({f"r{k}": done(day, offsets[day]) for k, day in enumerate(days)})
    assert data["cameras"] == [
        {"camera": "c0ffee", "recordings": 7, "offset": 0.3, "change": 1.0}
    ]  # from 0.05 to 1.05: medians of the first and the last two


def test_a_camera_of_recordings_without_dates_has_not_drifted(shown):
    results = {f"r{k}": {**done(0, offset), "start_ns": 0} for k, offset in enumerate((1, 0, 2))}
    (camera,) = shown(results)["cameras"]
    assert (camera["offset"], camera["change"]) == (1.0, None)


def test_what_is_not_done_yet_has_a_row_and_what_took_no_part_is_said(shown):
    rows = shown({"r": done(0)})["rows"]
    assert [(row["recording"], row["status"]) for row in rows] == [
        ("r", "done"), ("later", "missing"),
    ]  # fmt: skip
    assert rows[0]["notes"] == ["2 x damaged: no PNG", "no odometry: mode is none"]


def test_bad_moments_are_shown_up_to_24(shown):
    bad = {f"b{k:02d}": done(k, moments=[(Status.LOST, 0.0), (Status.OK, 0.9)]) for k in range(30)}
    assert [each["status"] for each in shown(bad)["moments"]] == ["LOST"] * 24


def test_of_good_recordings_the_worst_nine_moments_are_shown(shown):
    good = {f"g{k:02d}": done(k, moments=[(Status.OK, 0.5 + k / 100)]) for k in range(20)}
    good["bad"] = done(20, moments=[(Status.DEGRADED, 0.9)])
    moments = shown(good)["moments"]
    assert [each["recording"] for each in moments] == ["bad", *(f"g{k:02d}" for k in range(8))]
    assert moments[1]["coverage"] == 50


def test_a_short_loss_is_seen_in_the_curves_of_a_long_recording(tmp_path):
    series = Series(tmp_path, matches=False)
    count = 50 * CURVE_BINS
    status = np.zeros(count)
    status[1234] = Status.LOST
    values = {
        "stamp": [10**18 + 10**8 * k for k in range(count)],
        "status": status,
        "inliers": 100 - 40 * status,
        "coverage": np.full(count, np.nan),
        "row_offset_px": np.where(np.arange(count) % 50 == 7, 9.0, 0.25),
    }
    for name, column in values.items():
        series.columns[name].extend(column)
    curves = series.curves()
    series.close()
    assert [len(each) for each in curves.values()] == [CURVE_BINS] * 4
    assert curves["status"] == [2.0 if k == 1234 // 50 else 0.0 for k in range(CURVE_BINS)]
    assert curves["inliers"] == [20.0 if k == 1234 // 50 else 100.0 for k in range(CURVE_BINS)]
    assert curves["row_offset_px"] == [0.25] * CURVE_BINS
    assert curves["seconds"][:2] == [2.45, 7.45]
