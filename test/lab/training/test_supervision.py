"""Losses fall when the network learns, and rest on the right cells."""

import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed (make test-train)")

from coarse_loftr_lab.network.matcher_net import MatcherNet
from coarse_loftr_lab.training.homographies import HomographyRange
from coarse_loftr_lab.training.pixel_maps import DenseMap
from coarse_loftr_lab.training.recipes import PairRecipes, SceneMix, find_images
from coarse_loftr_lab.training.supervision import cell_centres, supervise, true_cells
from coarse_loftr_lab.training.truth import PairBatch, maps_from_homography
from coarse_loftr_lab.training.views import render_pairs


def pairs_of(photographs, **mix):
    recipes = PairRecipes(
        find_images(photographs, held_out_split=False), (160, 128), 4, 5, SceneMix(**mix)
    )
    return render_pairs(PairRecipes.collate([recipes[i] for i in range(4)]), (160, 128))


def test_the_true_cell_of_a_shift_by_whole_cells_is_that_many_cells_away():
    shift = torch.tensor([[1.0, 0, 32], [0, 1, 16], [0, 0, 1]])
    to, visible = maps_from_homography(shift[None], (96, 64))
    cell, seen = true_cells(DenseMap(to, visible))
    assert cell[0, 0] == 1 * 6 + 2
    assert seen[0].view(4, 6).tolist() == [[True] * 4 + [False] * 2] * 3 + [[False] * 6]


def test_cell_centres_lie_between_pixels():
    centres = cell_centres(8, 10, torch.device("cpu"))
    assert centres[0].tolist() == [7.5, 7.5] and centres[11].tolist() == [23.5, 23.5]


def test_a_network_learns(photographs, tiny_config):
    """A few steps on one batch must bring the loss down and the recall up."""
    torch.manual_seed(0)
    net = MatcherNet(tiny_config)
    easy = HomographyRange(wide_share=0.0, turned_share=0.0)
    batch = pairs_of(photographs, parallax_share=0.0, homography=easy)
    optimiser = torch.optim.AdamW(net.parameters(), lr=3e-3)
    history = []
    for step in range(80):
        result = supervise(net, batch, torch.Generator().manual_seed(step))
        optimiser.zero_grad()
        result.loss.backward()
        optimiser.step()
        history.append(result)
    assert history[-1].loss.item() < 0.7 * history[0].loss.item()
    assert float(history[-1].coarse_recall) > float(history[0].coarse_recall) + 0.2


def test_pairs_without_any_common_view_give_a_finite_loss(photographs, tiny_config):
    batch = pairs_of(photographs)
    target, visible = batch.to_current.dense().target, batch.to_current.dense().visible
    hidden = DenseMap(target, torch.zeros_like(visible))
    batch = PairBatch(batch.reference, batch.current, hidden, hidden)
    result = supervise(MatcherNet(tiny_config), batch, torch.Generator().manual_seed(0))
    assert torch.isfinite(result.loss)
    result.loss.backward()
