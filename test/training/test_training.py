"""Pairs carry their exact truth, supervision measures it, and a run can stop and go on."""

import json

import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed (make test-train)")

import cv2
import numpy as np
from scenes import texture

from coarse_loftr_ros.evaluation.data.split import held_out
from coarse_loftr_ros.network.checkpoint import load_checkpoint
from coarse_loftr_ros.network.matcher_net import MatcherConfig, MatcherNet
from coarse_loftr_ros.training.pairs import (
    HomographyRange,
    PairDataset,
    find_images,
    random_homography,
)
from coarse_loftr_ros.training.photometry import disturb
from coarse_loftr_ros.training.supervision import cell_centres, supervise, transform
from coarse_loftr_ros.training.trainer import TrainingSettings, learning_rate_factor, train

TINY = MatcherConfig(
    stage_channels=(8, 8, 16, 16),
    stage_blocks=(0, 0, 0, 0),
    token_channels=16,
    heads=2,
    cross_layers=1,
    fine_channels=8,
)


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    """Enough pictures for the split by name to keep some of them out of training."""
    folder = tmp_path_factory.mktemp("photographs")
    for number in range(24):
        cv2.imwrite(str(folder / f"{number:02d}.png"), texture(300, 240, seed=number))
    names = [held_out(path) for path in folder.iterdir()]
    if not any(names):  # the folder's name decides, and pytest chooses it
        (folder / "more").mkdir()
        for number in range(200):
            path = folder / "more" / f"{number}.png"
            if held_out(path):
                cv2.imwrite(str(path), texture(300, 240, seed=number))
                break
    return folder


def dataset(photographs, **changes):
    values = {"size": (160, 128), "length": 16, "seed": 5, **changes}
    return PairDataset(find_images(photographs, held_out_split=False), **values)


def test_the_two_splits_share_nothing_and_miss_nothing(photographs):
    training = set(find_images(photographs, held_out_split=False))
    validation = set(find_images(photographs, held_out_split=True))
    assert training and validation and not training & validation
    assert training | validation == set(photographs.rglob("*.png"))


def test_a_folder_without_images_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="holds no images"):
        find_images(tmp_path, held_out_split=False)


def test_a_pair_is_always_the_same_pair(photographs):
    first, again = dataset(photographs)[3], dataset(photographs)[3]
    assert all(torch.equal(first[name], again[name]) for name in first)
    other = dataset(photographs)[4]
    assert not torch.equal(first["reference"], other["reference"])


def test_the_homography_of_a_pair_is_its_truth(photographs, monkeypatch):
    """Warping the current view back must give the reference where both show the photograph."""
    monkeypatch.setattr("coarse_loftr_ros.training.pairs.disturb", lambda image, *_: image)
    differences = []
    for number in range(12):
        pair = dataset(photographs, limits=HomographyRange(wide_share=0.0))[number]
        homography = pair["homography"].numpy()
        current = pair["current"][0].numpy()
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        back = cv2.warpPerspective(current, homography, (160, 128), flags=flags)
        shown = cv2.resize(pair["current_valid"][0].numpy(), (160, 128))
        shown = cv2.warpPerspective(shown, homography, (160, 128), flags=flags)
        shown = cv2.erode((shown > 0.999).astype(np.uint8), np.ones((17, 17))) > 0
        if shown.sum() > 500:
            difference = np.abs(back - pair["reference"][0].numpy())[shown]
            differences.append(np.median(difference))
    assert len(differences) > 5
    assert np.median(differences) < 0.02


def test_homographies_without_strength_are_the_identity():
    rng = np.random.default_rng(0)
    identity = random_homography(320, 256, rng, HomographyRange(), strength=0.0)
    np.testing.assert_allclose(identity, np.eye(3), atol=1e-6)


def test_homographies_stay_within_their_ranges():
    rng = np.random.default_rng(0)
    limits = HomographyRange(perspective=0.0, shift=0.0, wide_share=0.0)
    for _ in range(200):
        m = random_homography(320, 256, rng, limits)
        m = m / m[2, 2]
        zoom = np.sqrt(np.linalg.det(m[:2, :2]))
        turn = np.degrees(np.arctan2(m[1, 0], m[0, 0]))
        assert 1 / 1.36 < zoom < 1.36 and abs(turn) < 15.1


def test_photometry_keeps_the_range_and_changes_the_image():
    rng = np.random.default_rng(0)
    image = texture(160, 128).astype(np.float32) / 255
    changed = [disturb(image, rng) for _ in range(30)]
    assert all(c.min() >= 0 and c.max() <= 1 and c.dtype == np.float32 for c in changed)
    assert np.mean([np.abs(c - image).mean() for c in changed]) > 0.03


def test_transform_agrees_with_opencv_and_sends_points_behind_far_away():
    homography = torch.tensor([[1.1, 0.1, 5], [-0.05, 0.9, 3], [1e-4, 2e-4, 1]])
    centres = cell_centres(8, 10, torch.device("cpu"))
    assert centres[0].tolist() == [7.5, 7.5] and centres[11].tolist() == [23.5, 23.5]
    expected = cv2.perspectiveTransform(centres.numpy()[:, None], homography.numpy())[:, 0]
    moved = transform(homography[None], centres[None])[0]
    np.testing.assert_allclose(moved.numpy(), expected, rtol=1e-4)
    behind = transform(-homography[None], centres[None])
    assert (behind <= -1e5).all()


def test_the_shipped_kind_of_network_learns(photographs):
    """A few steps on one batch must bring the loss down and the recall up."""
    torch.manual_seed(0)
    net = MatcherNet(TINY)
    pairs = dataset(photographs, limits=HomographyRange(wide_share=0.0))
    items = [pairs[i] for i in range(4)]
    batch = {name: torch.stack([item[name] for item in items]) for name in items[0]}
    optimiser = torch.optim.AdamW(net.parameters(), lr=3e-3)
    history = []
    for step in range(60):
        result = supervise(net, batch, torch.Generator().manual_seed(step))
        optimiser.zero_grad()
        result.loss.backward()
        optimiser.step()
        history.append(result)
    assert float(history[-1].loss) < 0.7 * float(history[0].loss)
    assert float(history[-1].coarse_recall) > float(history[0].coarse_recall) + 0.2


def test_a_pair_without_any_common_view_gives_a_finite_loss(photographs):
    net = MatcherNet(TINY)
    item = dataset(photographs)[0]
    batch = {name: value[None].expand(2, *value.shape).clone() for name, value in item.items()}
    batch["homography"][0] = torch.tensor([[1, 0, 1e4], [0, 1, 1e4], [0, 0, 1]])
    result = supervise(net, batch, torch.Generator().manual_seed(0))
    assert torch.isfinite(result.loss)


def settings(photographs, output, **changes):
    values = {
        "steps": 6,
        "batch": 2,
        "width": 96,
        "height": 64,
        "warmup": 2,
        "validate_every": 3,
        "checkpoint_every": 3,
        "validation_pairs": 2,
        "network": TINY,
    }
    return TrainingSettings(photographs, output, **{**values, **changes})


def test_a_run_leaves_weights_settings_and_figures(photographs, tmp_path):
    figures = train(settings(photographs, tmp_path / "run"))
    assert figures["step"] == 6 and figures["coarse_loss"] > 0
    lines = (tmp_path / "run" / "figures.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == [3, 6]
    assert json.loads((tmp_path / "run" / "settings.json").read_text())["batch"] == 2
    assert load_checkpoint(tmp_path / "run" / "last.pt").step == 6


def test_a_stopped_run_that_is_resumed_ends_as_one_that_was_not(photographs, tmp_path):
    whole = settings(photographs, tmp_path / "whole", decay_share=0.01)
    train(whole)
    halves = settings(photographs, tmp_path / "halves", decay_share=0.01)
    train(settings(photographs, tmp_path / "halves", decay_share=0.01, steps=3))
    train(halves, resume=True)
    a, b = (load_checkpoint(s.checkpoint).weights for s in (whole, halves))
    for name in a:
        torch.testing.assert_close(a[name], b[name], rtol=1e-3, atol=1e-5)


def test_a_run_is_not_overwritten_and_nothing_is_resumed_from_nothing(photographs, tmp_path):
    with pytest.raises(FileNotFoundError, match="nothing to resume"):
        train(settings(photographs, tmp_path / "run"), resume=True)
    train(settings(photographs, tmp_path / "run", steps=1))
    with pytest.raises(FileExistsError, match="resume it or name another folder"):
        train(settings(photographs, tmp_path / "run"))


@pytest.mark.parametrize(
    ("bad", "message"),
    [({"width": 100}, "width is 100"), ({"steps": 0}, "steps is 0"), ({"batch": 0}, "batch is 0")],
)
def test_settings_that_make_no_sense_are_refused(photographs, tmp_path, bad, message):
    with pytest.raises(ValueError, match=message):
        settings(photographs, tmp_path, **bad)


def test_the_rate_rises_stays_and_falls_to_zero(photographs, tmp_path):
    run = settings(photographs, tmp_path, steps=100, warmup=10, decay_share=0.3)
    rates = [learning_rate_factor(step, run) for step in range(101)]
    assert rates[0] == 0.1 and rates[9:70] == [1.0] * 61
    assert rates[85] == pytest.approx(0.5) and rates[100] == 0.0
