"""Rendered pairs are repeatable, carry their exact truth, and cover the documented range."""

import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed (make test-train)")

import cv2
import numpy as np

from coarse_loftr_lab.training.homographies import HomographyRange, random_homography
from coarse_loftr_lab.training.recipes import PairRecipes, SceneMix, find_images
from coarse_loftr_lab.training.scenes import draw_scene
from coarse_loftr_lab.training.surfaces import nearest_surface
from coarse_loftr_lab.training.truth import PairBatch, pixel_grid
from coarse_loftr_lab.training.views import render_pairs

SIZE = (160, 128)


def recipes(photographs, length=16, **mix):
    images = find_images(photographs, held_out_split=False)
    return PairRecipes(images, SIZE, length, 5, SceneMix(**mix), ramp=0)


def render(dataset, numbers):
    return render_pairs(PairRecipes.collate([dataset[i] for i in numbers]), SIZE)


@pytest.fixture
def clean(monkeypatch):
    """No photometric change, so that both views show the same grey levels."""
    monkeypatch.setattr("coarse_loftr_lab.training.views.disturb", lambda image, *_: image)


def test_the_two_splits_share_nothing_and_miss_nothing(photographs):
    training = set(find_images(photographs, held_out_split=False))
    validation = set(find_images(photographs, held_out_split=True))
    assert training and validation and not training & validation
    assert training | validation == set(photographs.rglob("*.png"))


def test_folders_without_images_of_a_split_are_refused_by_name(tmp_path):
    with pytest.raises(FileNotFoundError, match="no images of the training split"):
        find_images(tmp_path, held_out_split=False)


def test_a_pair_is_always_the_same_pair(photographs):
    dataset, again = recipes(photographs), recipes(photographs)
    first, second = render(dataset, [3, 4]), render(again, [3, 4])
    for name in ("reference", "current"):
        assert torch.equal(getattr(first, name), getattr(second, name))
    for name in ("target", "visible"):
        one, other = (getattr(pairs.to_current.dense(), name) for pairs in (first, second))
        assert torch.equal(one, other)
    assert not torch.equal(first.reference[0], first.reference[1])


@pytest.mark.parametrize("parallax_share", [0.0, 1.0])
def test_the_truth_brings_one_view_onto_the_other(photographs, clean, parallax_share):
    """Where the truth says visible, both views must show the same grey levels."""
    pairs = render(recipes(photographs, parallax_share=parallax_share), range(12))
    truth = pairs.to_current.dense()
    different = []
    for i in range(len(pairs)):
        at = truth.target[i].numpy()
        current = pairs.current[i, 0].numpy()
        moved = cv2.remap(current, at[..., 0], at[..., 1], cv2.INTER_LINEAR)
        # Edges of pieces are jagged by a pixel: one-pixel-wide differences are no errors.
        visible = truth.visible[i].numpy().astype(np.uint8)
        inner = cv2.erode(visible, np.ones((7, 7))) > 0
        if inner.sum() > 500:
            different.append(np.abs(moved - pairs.reference[i, 0].numpy())[inner].mean())
    assert len(different) >= 8
    assert np.median(different) < 0.02 and np.max(different) < 0.06


@pytest.mark.parametrize("parallax_share", [0.0, 1.0])
def test_there_and_back_is_where_it_began(photographs, parallax_share):
    pairs = render(recipes(photographs, parallax_share=parallax_share), range(8))
    there, back = pairs.to_current.dense(), pairs.to_reference.dense()
    grid = pixel_grid(SIZE[1], SIZE[0])
    checked = 0
    for i in range(len(pairs)):
        at = there.target[i][there.visible[i]]
        index = at.round().long()
        x, y = index[:, 0].clamp(0, SIZE[0] - 1), index[:, 1].clamp(0, SIZE[1] - 1)
        seen = back.visible[i, y, x]
        # The rounded pixel goes back to within the rounding, magnified by a zoom of 2.5 at most.
        returned = back.target[i, y, x][seen]
        start = grid[there.visible[i]][seen]
        rounding = (at[seen] - index[seen]).norm(dim=1)
        assert ((returned - start).norm(dim=1) <= 6.0 * rounding + 0.05).float().mean() > 0.98
        checked += len(returned)
    assert checked > 10_000


def test_scenes_with_depth_are_no_planes(photographs):
    """No single homography explains their truth, but one explains a photograph's."""
    shares = {}
    for share in (0.0, 1.0):
        pairs = render(recipes(photographs, parallax_share=share), range(10))
        truth = pairs.to_current.dense()
        explained = []
        for i in range(len(pairs)):
            visible = truth.visible[i]
            start = pixel_grid(SIZE[1], SIZE[0])[visible].numpy()
            end = truth.target[i][visible].numpy()
            if len(start) > 1000:
                _, inlier = cv2.findHomography(start[::17], end[::17], cv2.RANSAC, 0.5)
                explained.append(inlier.mean())
        shares[share] = np.median(explained)
    assert shares[0.0] > 0.999 and shares[1.0] < 0.95


def test_what_moves_by_itself_has_no_truth(photographs):
    dataset = recipes(photographs, parallax_share=0.0)
    batch = PairRecipes.collate([dataset[i] for i in range(16)])
    assert batch.moving.any()
    pairs = render_pairs(batch, SIZE)
    with_object = int(batch.moving.any(1).nonzero()[0])
    assert not pairs.to_reference.dense().visible[with_object].all()


def test_homographies_without_strength_are_the_identity():
    identity = random_homography(
        (320, 256), np.random.default_rng(0), HomographyRange(), strength=0.0
    )
    np.testing.assert_allclose(identity, np.eye(3), atol=1e-6)


def test_homographies_stay_within_their_ranges_and_a_share_turns_fully():
    rng = np.random.default_rng(0)
    turns = {}
    for turned_share in (0.0, 1.0):
        limits = HomographyRange(
            perspective=0.0, shift=0.0, wide_share=0.0, turned_share=turned_share
        )
        turns[turned_share] = []
        for _ in range(200):
            m = random_homography((320, 256), rng, limits)
            m = m / m[2, 2]
            assert 1 / 1.41 < np.sqrt(np.linalg.det(m[:2, :2])) < 1.41
            turns[turned_share].append(abs(np.degrees(np.arctan2(m[1, 0], m[0, 0]))))
    assert max(turns[0.0]) < 15.1
    assert max(turns[1.0]) > 170


def test_every_kind_of_scene_keeps_a_common_view(photographs):
    pairs = render(recipes(photographs, length=40, parallax_share=1.0), range(40))
    shares = pairs.to_current.dense().visible.float().mean((1, 2))
    assert float(shares.median()) > 0.5 and float((shares > 0.1).float().mean()) > 0.9


def test_hidden_sides_of_boxes_are_left_out():
    rng = np.random.default_rng(1)
    scenes = [draw_scene((320, 256), rng, 3).pieces for _ in range(50)]
    assert max(len(pieces) for pieces in scenes if not pieces[0].triangle) < 4 + 3 * 4 + 1


def test_the_nearest_piece_is_seen_at_every_pixel(photographs):
    """As if each piece were looked at everywhere, which rendering by tiles avoids."""
    batch = PairRecipes.collate(
        [recipes(photographs, 40, parallax_share=0.8)[i] for i in range(40)]
    )
    assert batch.triangle.any() and batch.endless.any() and batch.round.any()
    surface = nearest_surface(batch, SIZE)
    pixels = torch.nn.functional.pad(pixel_grid(SIZE[1], SIZE[0]), (0, 1), value=1.0)
    for pair in range(len(batch)):
        at = torch.einsum("vnij,hwj->vnihw", batch.to_piece[pair], pixels)
        a, b, depth = at[:, : int(batch.count[pair])].unbind(2)
        endless, round_, triangle = (
            kind[pair, : a.shape[1], None, None]
            for kind in (batch.endless, batch.round > 0, batch.triangle)
        )
        within = (a.abs() <= depth) & (b.abs() <= depth)
        within &= ~round_ | (a * a + b * b <= depth * depth)
        within &= ~triangle | (a + b <= 1e-4 * depth)
        depth = torch.where((within | endless) & (depth > 0), depth, 0.0)
        nearest, piece = depth.max(1)
        piece[nearest == 0] = -1
        shown = surface.as_images(surface.piece).unflatten(0, (-1, 2))[pair]
        assert (shown == piece).float().mean() > 0.9995  # all but rounding at borders


def test_the_truth_at_some_pixels_is_that_of_all(photographs):
    pairs = render(recipes(photographs, parallax_share=0.5), range(6))
    pair, y, x = torch.tensor([0, 3, 5]), torch.tensor([10, 127, 64]), torch.tensor([0, 80, 159])
    for pixel_map in (pairs.to_current, pairs.to_reference):
        target, visible = pixel_map.at(pair, y, x)
        torch.testing.assert_close(target, pixel_map.dense().target[pair, y, x])
        assert torch.equal(visible, pixel_map.dense().visible[pair, y, x])


def test_rendered_pairs_and_others_are_joined(photographs):
    pairs = render(recipes(photographs), range(5))
    target, visible = pairs.to_current.dense().target, pairs.to_current.dense().visible
    some = pairs.select(slice(0, 2))
    other = PairBatch(
        pairs.reference[2:],
        pairs.current[2:],
        pairs.to_current.select(slice(2, 5)).dense(),
        pairs.to_reference.select(slice(2, 5)).dense(),
    )
    joined = PairBatch.concatenate([some, other])
    assert torch.equal(joined.reference, pairs.reference)
    torch.testing.assert_close(joined.to_current.dense().target, target)
    assert torch.equal(joined.to_current.dense().visible, visible)


@pytest.mark.parametrize("texture_scale", [0.9, 1.37])
def test_textures_of_any_scale_are_halved_without_rest(photographs, texture_scale):
    dataset = recipes(photographs, texture_scale=texture_scale)
    assert not any(side % 8 for side in dataset[0].textures.shape[1:])
    assert torch.isfinite(render(dataset, range(4)).reference).all()


def test_a_terrain_has_no_holes(photographs):
    """Triangles share their edges: where neighbours are seen, so is what lies between."""
    dataset = recipes(photographs, length=60, parallax_share=1.0)
    terrains = [i for i in range(60) if dataset[i].scene.pieces[0].triangle]
    assert len(terrains) > 3
    batch = PairRecipes.collate([dataset[i] for i in terrains])
    surface = nearest_surface(batch, SIZE)
    for piece in surface.as_images(surface.piece).numpy():
        shown = (piece >= 0).astype(np.uint8)
        assert shown.mean() > 0.5
        closed = cv2.morphologyEx(shown, cv2.MORPH_CLOSE, np.ones((3, 3)))
        assert (closed[2:-2, 2:-2] == shown[2:-2, 2:-2]).mean() > 0.999
