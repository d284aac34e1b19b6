"""One wrong stamp costs its own image and no other."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coarse_loftr_ros.recordings.errors import RecordingError
from coarse_loftr_ros.recordings.input_report import InputReport
from coarse_loftr_ros.recordings.source import ListedImage
from coarse_loftr_ros.recordings.stamp_order import in_stamp_order


def kept(stamps: list[int | None], report: InputReport | None = None) -> list[int]:
    images = [ListedImage(0, k, f"#{k}", stamp, 0, None) for k, stamp in enumerate(stamps)]
    return [image.number for image in in_stamp_order(images, report or InputReport())]


@given(st.integers(2, 40), st.data())
def test_a_single_wrong_stamp_costs_one_image(count: int, data: st.DataObject) -> None:
    stamps = [1000 + 100 * k for k in range(count)]
    place = data.draw(st.integers(0, count - 1))
    another = st.integers(0, count + 20).map(lambda k: 1000 + 100 * k)  # perhaps another image's
    stamps[place] = data.draw(st.one_of(st.none(), st.integers(-(10**6), 10**6), another))
    left_out = set(range(count)) - set(kept(stamps))
    assert len(left_out) <= 1
    if None in stamps or stamps != sorted(set(stamps)):
        assert len(left_out) == 1


@given(st.integers(3, 40), st.data())
def test_two_stamps_that_changed_places_cost_one_image(count: int, data: st.DataObject) -> None:
    stamps = [100 * k for k in range(count)]
    place = data.draw(st.integers(0, count - 2))
    stamps[place], stamps[place + 1] = stamps[place + 1], stamps[place]
    assert len(kept(stamps)) == count - 1


def test_the_later_one_of_two_equal_stamps_is_left_out_and_named() -> None:
    report = InputReport()
    assert kept([0, 10, 20, 20, 40], report) == [0, 1, 2, 4]
    rejected = report.rejected["stamp"]
    assert (rejected.count, rejected.names) == (1, ["#3"])
    assert "is not later than 0.000000 s of #2" in rejected.example


def test_a_clock_that_is_set_back_ends_what_is_used() -> None:
    assert kept([*range(100, 200, 10), *range(0, 90, 10)]) == list(range(10))


def test_a_strict_report_refuses_the_first_one() -> None:
    with pytest.raises(RecordingError, match="#1: its stamp"):
        kept([10, 10, 20], InputReport(strict=True))


def test_a_first_stamp_of_zero_before_dates_costs_its_image_and_one_of_a_simulation_none() -> None:
    now = 1_700_000_000_000_000_000
    assert kept([0, 0, now, now + 10, now + 20]) == [2, 3, 4]
    assert kept([0, 10, 20]) == [0, 1, 2]
    assert kept([0]) == [0]
