"""Views of an image come back to its pixels, and only what several of them say is kept."""

import cv2
import numpy as np
import pytest
from scenes import texture

from coarse_loftr_lab.labelling.agreement import AgreementSettings, agreed_points
from coarse_loftr_lab.labelling.cell_matcher import CELL, CellMatcher
from coarse_loftr_lab.labelling.nearest_points import NearestPoints
from coarse_loftr_lab.labelling.transforms import DEFAULT_TRANSFORMS, parse_transforms
from coarse_loftr_ros.features.pair_matcher import PointMatches

SIZE = (320, 240)
VIEWS = parse_transforms(DEFAULT_TRANSFORMS)
POINTS = np.stack(np.meshgrid(range(100, 220, 12), range(80, 160, 12)), -1).reshape(-1, 2) + 0.25
SHIFT = np.array([7.5, -3.25])


def said(points, shift=SHIFT):
    points = points.astype(np.float32)
    return PointMatches(points, points + np.float32(shift), np.ones(len(points), np.float32))


@pytest.mark.parametrize("transform", VIEWS, ids=lambda one: one.name)
def test_a_view_shows_each_pixel_where_its_matrix_says(transform):
    image = np.zeros(SIZE[::-1], np.uint8)
    cv2.circle(image, (130, 90), 9, 255, -1)
    view = transform.view(image)
    assert view.shape == transform.view_size(SIZE)[::-1]
    bright = np.maximum(view - view[0, 0].astype(float), 0)
    y, x = np.mgrid[: view.shape[0], : view.shape[1]]
    middle = np.array([[np.average(x, weights=bright), np.average(y, weights=bright)]])
    np.testing.assert_allclose(transform.to_image(middle, SIZE), [[130, 90]], atol=0.1)
    seen = transform.shows(np.array([[130.0, 90.0], [0.0, 0.0]]), SIZE)
    assert seen.tolist() == [True, transform.name != "zoom1.4"]


def test_quarter_turns_and_the_mirror_move_no_grey_level():
    image = texture(*SIZE, seed=1)
    views = {one.name: one.view(image) for one in VIEWS}
    np.testing.assert_array_equal(views["flip"], image[:, ::-1])
    np.testing.assert_array_equal(views["turn90"], np.rot90(image))
    np.testing.assert_array_equal(views["turn180"], np.rot90(image, 2))
    np.testing.assert_array_equal(views["turn270"], np.rot90(image, 3))


def test_what_most_views_say_is_kept_and_what_one_says_alone_is_not():
    alone = said(POINTS[:5] + np.array([3, 0]), SHIFT + np.array([6, 0]))
    matches = [said(POINTS + 0.5 * number) for number in range(len(VIEWS))]
    matches[1] = PointMatches(
        np.concatenate([matches[1].reference_points, alone.reference_points]),
        np.concatenate([matches[1].current_points, alone.current_points]),
        np.ones(len(POINTS) + 5, np.float32),
    )
    agreed = agreed_points(matches, VIEWS, SIZE, AgreementSettings(apart_px=0.1))
    motion = agreed.current - agreed.reference
    wrong = np.abs(motion - SHIFT).max(axis=1) > 1
    assert wrong.sum() == 5
    assert not agreed.agreed[wrong].any() and agreed.agreed[~wrong].mean() > 0.9
    assert agreed.spread_px[~wrong].max() < 1e-3


def test_a_view_that_cannot_show_a_point_is_not_asked_about_it():
    border = np.array([[6.0, 6.0], [40.0, 8.0], [300.0, 230.0]])
    zoomed = [one.name for one in VIEWS].index("zoom1.4")
    matches = [said(border) for _ in VIEWS]
    matches[zoomed] = PointMatches.none()
    agreed = agreed_points(matches, VIEWS, SIZE, AgreementSettings(share=1.0))
    assert len(agreed.agreed) == 3 and agreed.agreed.all()
    assert agreed.shown[zoomed] == 0 and (np.delete(agreed.shown, zoomed) == 3).all()


def test_without_any_match_nothing_is_agreed_on():
    agreed = agreed_points([PointMatches.none() for _ in VIEWS], VIEWS, SIZE, AgreementSettings())
    assert len(agreed.agreed) == 0


def test_every_pixel_knows_its_nearest_point():
    points = np.array([[10.2, 20.4], [200.0, 100.0]])
    index, distance = NearestPoints(points, SIZE).at(np.array([[13.0, 24.0], [199.0, 160.0]]))
    assert index.tolist() == [0, 1]
    np.testing.assert_allclose(distance, [5, 60], rtol=0.05)
    assert np.isinf(NearestPoints(points[:0], SIZE).distance).all()


def test_a_teacher_of_cells_gives_points_that_the_images_agree_on():
    plane = texture(500, 400, seed=3)
    reference, current = plane[40:280, 50:370], plane[35:275, 43:363]  # moves by (7, 5)
    cells = SIZE[0] // CELL * (SIZE[1] // CELL)
    seen = []

    def confidences(one, other):
        seen.append((one.shape, one.dtype, float(other.max()) <= 1))
        return np.eye(cells, dtype=np.float32)

    teacher = CellMatcher("cells", {}, confidences, SIZE, 0.5)
    found = teacher.match(*(teacher.describe(image) for image in (reference, current)))
    assert seen == [((240, 320), np.float32, True)]
    errors = np.linalg.norm(found.current_points - found.reference_points - (7, 5), axis=1)
    assert len(found) > 150 and np.median(errors) < 0.05 and np.quantile(errors, 0.9) < 0.3


def test_a_teacher_of_cells_takes_whole_cells():
    with pytest.raises(ValueError, match="size is 330x240; both sides must be multiples of 16"):
        CellMatcher("cells", {}, lambda one, other: one, (330, 240), 0.5)
