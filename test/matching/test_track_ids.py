"""Ids of a stream's points: none is given twice before all have been."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from coarse_loftr_ros.matching.track_ids import TrackIds

CELLS = 560


@given(st.lists(st.booleans(), max_size=40))
def test_references_and_windows_never_share_an_id(windows: list[bool]) -> None:
    ids = TrackIds()
    taken = [ids.reference]
    for window in windows:
        first = ids.following(CELLS)
        if window:
            before = ids.reference
            ids.take_window(CELLS)
            assert ids.reference == before
        else:
            ids.take_reference(CELLS)
            assert ids.reference == first
        taken.append(first)
    gaps = [later - earlier for earlier, later in pairwise(taken)]
    assert all(gap >= 2 * CELLS for gap in gaps)


def test_after_the_last_of_32_bits_ids_begin_again() -> None:
    ids = TrackIds()
    for _ in range(2**32 // (2 * 2**20)):
        ids.take_reference(2**20)
    assert ids.reference == 0
