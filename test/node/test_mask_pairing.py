"""Each image gets the mask of its own stamp, and waits for it no longer than it may."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from coarse_loftr_ros.node.matcher.mask_pairing import MaskPairing


def pairing(wait_s: float = 0.2, capacity: int = 10) -> MaskPairing[str, str]:
    return MaskPairing(wait_s, silence_s=2.0, capacity=capacity)


def test_an_image_goes_on_with_the_mask_of_its_stamp():
    masks = pairing()
    assert masks.add("image 7", 7, 0.0) == []
    assert masks.waiting == 1
    assert masks.add_mask("mask 7", 7, 0.05) == [("image 7", "mask 7")]
    assert (masks.waiting, masks.missing, masks.late, masks.stray) == (0, 0, 0, 0)


def test_a_mask_may_come_before_its_image():
    masks = pairing()
    assert masks.add_mask("mask 7", 7, 0.0) == []
    assert masks.add("image 7", 7, 0.01) == [("image 7", "mask 7")]


def test_an_image_waits_no_longer_than_it_may_and_its_late_mask_is_told():
    masks = pairing(wait_s=0.2)
    masks.add("image 7", 7, 1.0)
    assert masks.due(1.19) == []
    assert masks.due(1.2) == [("image 7", None)]
    assert masks.missing == 1
    assert masks.add_mask("mask 7", 7, 1.35) == []
    assert masks.late == 1
    assert round(masks.delay_s, 6) == 0.35
    masks.add_mask("mask 7", 7, 1.36)
    assert masks.late == 1, "a latched mask comes twice"


def test_the_mask_of_a_later_image_says_that_earlier_ones_get_none():
    masks = pairing()
    for stamp in (1, 2, 3):
        masks.add(f"image {stamp}", stamp, 0.0)
    assert masks.add_mask("mask 2", 2, 0.1) == [("image 1", None), ("image 2", "mask 2")]
    assert masks.missing == 1
    assert masks.waiting == 1


def test_a_mask_without_a_stamp_is_of_all_images_and_none_waits_for_it():
    masks = pairing()
    masks.add("before", 1, 0.0)
    assert masks.add_mask("bonnet", 0, 0.1) == [("before", "bonnet")]
    assert masks.add("image", 2, 10.0) == [("image", "bonnet")]
    assert masks.silence(10.0) == 0.0
    assert masks.missing == 0


def test_a_mask_of_its_own_goes_before_that_of_all_images():
    masks = pairing()
    masks.add_mask("bonnet", 0, 0.0)
    masks.add_mask("mask 1", 1, 0.0)
    assert masks.add("image 1", 1, 0.0) == [("image 1", "mask 1")]
    masks.add("image 2", 2, 0.1)
    assert masks.due(0.5) == [("image 2", "bonnet")]
    assert masks.missing == 1


def test_when_masks_fall_silent_nothing_waits_until_one_comes():
    masks = pairing()
    masks.add_mask("mask 1", 1, 0.0)
    assert masks.silence(100.0) == 0.0, "no image has come that lacks one"
    assert masks.add("image 2", 2, 100.0) == []
    assert masks.due(100.2) == [("image 2", None)]
    assert masks.add("image 3", 3, 102.1) == [("image 3", None)]
    assert round(masks.silence(102.1), 6) == 2.1
    masks.add_mask("mask 3", 3, 102.2)
    assert masks.add("image 4", 4, 102.3) == []


def test_with_no_wait_an_image_takes_what_is_there():
    masks = pairing(wait_s=0.0)
    assert masks.add("image 1", 1, 0.0) == [("image 1", None)]
    masks.add_mask("mask 2", 2, 0.1)
    assert masks.add("image 2", 2, 0.1) == [("image 2", "mask 2")]


def test_no_more_images_wait_and_no_more_masks_are_kept_than_fit():
    masks = pairing(capacity=2)
    assert [masks.add(f"image {stamp}", stamp, 0.0) for stamp in (1, 2)] == [[], []]
    assert masks.add("image 3", 3, 0.0) == [("image 1", None)]
    for stamp in (101, 102, 103):
        masks.add_mask("of no image", stamp, 0.0)
    assert masks.stray == 1


@given(
    st.lists(
        st.tuples(st.booleans(), st.integers(0, 6), st.floats(0.0, 0.3)), min_size=1, max_size=60
    )
)
def test_every_image_goes_on_once_in_order_with_its_own_mask_or_none(events):
    masks, now, came, gone = pairing(capacity=4), 0.0, [], []
    for is_image, stamp, passed in events:
        now += passed
        if is_image:
            came.append((len(came), stamp))
            gone += masks.add(came[-1], stamp, now)
        elif stamp:  # masks of all images are tested above
            gone += masks.add_mask(stamp, stamp, now)
    gone += masks.due(now + 1.0)
    assert [image for image, _ in gone] == came
    assert all(mask is None or mask == stamp for (_, stamp), mask in gone)
