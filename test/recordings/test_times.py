"""Times as text: units are recognised or refused, never taken for another one."""

import pytest

from coarse_loftr_ros.recordings.errors import RecordingError
from coarse_loftr_ros.recordings.times import parse_times, times_of_names

NS = 1403636579763555584


def test_seconds_are_read_without_the_rounding_of_a_float() -> None:
    assert parse_times(["1750000000.123456789"], "times.txt") == [1_750_000_000_123_456_789]
    assert parse_times(["1.036224e-01", "0"], "times.txt") == [103_622_400, 0]


@pytest.mark.parametrize("digits", [19, 16, 13])
def test_whole_numbers_since_1970_say_their_unit_by_their_size(digits: int) -> None:
    scale = 10 ** (19 - digits)
    stamps = [NS // scale + k * 50_000_000 // scale for k in range(4)]
    assert parse_times([str(stamp) for stamp in stamps], "") == [s * scale for s in stamps]


def test_seconds_since_1970_may_be_whole() -> None:
    assert parse_times(["1403636579", "1403636580"], "") == [
        NS // 10**9 * 10**9,
        (NS // 10**9 + 1) * 10**9,
    ]


def test_times_since_1970_of_several_units_in_one_file_are_each_read_in_their_own() -> None:
    words = ["1403636579.5", "1403636579.6", "1403636579.7", "1403636579800", str(NS + 10**9)]
    assert parse_times(words, "") == [
        *(1403636579_500_000_000 + k * 100_000_000 for k in range(4)),
        NS + 10**9,
    ]
    assert parse_times([str(NS), str(NS + 10**8), "7"], "")[2] is None


def test_nanoseconds_from_the_start_of_a_robot_are_told_by_their_steps() -> None:
    words = [str(12_000_000_000 + k * 33_333_333) for k in range(5)]
    assert parse_times(words, "") == [int(word) for word in words]
    assert parse_times(["0", "33333", "66666"], "") == [0, 33_333_000, 66_666_000]


@pytest.mark.parametrize("words", [["0", "33", "66", "100"], ["0.0", "33.3", "66.7"]])
def test_a_unit_that_cannot_be_told_is_refused_by_the_name_of_the_file(words: list[str]) -> None:
    with pytest.raises(RecordingError, match=r"unit of the times in run/times\.txt"):
        parse_times(words, "run/times.txt")


def test_what_is_no_time_costs_itself_alone() -> None:
    words = ["0.0", "nan", "0.2", "inf", "zero", "", "0.6"]
    assert parse_times(words, "") == [0, None, 200_000_000, None, None, None, 600_000_000]
    with pytest.raises(RecordingError, match=r"times\.txt has no times: 'left' is none"):
        parse_times(["left", "right"], "times.txt")


def test_dates_of_kitti_s_raw_data_keep_their_nanoseconds() -> None:
    words = ["2011-09-26 13:02:25.964389445", "2011-09-26 13:02:26.064"]
    assert parse_times(words, "") == [1_317_042_145_964_389_445, 1_317_042_146_064_000_000]


def test_names_are_times_when_they_are_long_or_have_fractions() -> None:
    assert times_of_names([str(NS), str(NS + 50_000_000)]) == [NS, NS + 50_000_000]
    assert times_of_names(["1305031102.175304", "frame_1305031102.211214"]) == [
        1_305_031_102_175_304_000,
        1_305_031_102_211_214_000,
    ]
    for names in (["000001", "000002"], ["0000000017", "0000000018"], ["a", "b"], ["1.5", "1.6"]):
        assert times_of_names(names) is None
    assert times_of_names([str(NS), "board", str(NS + 1)]) == [NS, None, NS + 1]
