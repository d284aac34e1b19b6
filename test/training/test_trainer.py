"""A run leaves what it promises, can stop and go on, and refuses what makes no sense."""

import json

import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed (make test-train)")

from coarse_loftr_ros.network.checkpoint import load_checkpoint
from coarse_loftr_ros.training.trainer import TrainingSettings, learning_rate_factor, train


@pytest.fixture
def settings(photographs, tiny_config):
    """Makes settings of tiny runs on the photographs."""

    def make(output, **changes):
        return TrainingSettings(
            photographs, output, **{**TINY_RUN, "network": tiny_config, **changes}
        )

    return make


TINY_RUN = {
    "steps": 6,
    "batch": 2,
    "width": 96,
    "height": 64,
    "warmup": 2,
    "validate_every": 3,
    "checkpoint_every": 3,
    "validation_pairs": 2,
}


def test_a_run_leaves_weights_settings_and_figures(settings, tmp_path):
    figures = train(settings(tmp_path / "run"))
    assert figures["step"] == 6 and figures["coarse_loss"] > 0
    lines = (tmp_path / "run" / "figures.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == [3, 6]
    assert json.loads((tmp_path / "run" / "settings.json").read_text())["batch"] == 2
    assert load_checkpoint(tmp_path / "run" / "last.pt").step == 6


def test_a_stopped_run_that_is_resumed_ends_as_one_that_was_not(settings, tmp_path):
    whole = settings(tmp_path / "whole", decay_share=0.01)
    train(whole)
    halves = settings(tmp_path / "halves", decay_share=0.01)
    train(settings(tmp_path / "halves", decay_share=0.01, steps=3))
    train(halves, resume=True)
    a, b = (load_checkpoint(s.checkpoint).weights for s in (whole, halves))
    for name in a:
        torch.testing.assert_close(a[name], b[name], rtol=1e-3, atol=1e-5)


def test_a_run_is_not_overwritten_and_nothing_is_resumed_from_nothing(settings, tmp_path):
    with pytest.raises(FileNotFoundError, match="nothing to resume"):
        train(settings(tmp_path / "run"), resume=True)
    train(settings(tmp_path / "run", steps=1))
    with pytest.raises(FileExistsError, match="resume it or name another folder"):
        train(settings(tmp_path / "run"))


@pytest.mark.parametrize(
    ("bad", "message"),
    [({"width": 100}, "width is 100"), ({"steps": 0}, "steps is 0"), ({"batch": 0}, "batch is 0")],
)
def test_settings_that_make_no_sense_are_refused(settings, tmp_path, bad, message):
    with pytest.raises(ValueError, match=message):
        settings(tmp_path, **bad)


def test_the_rate_rises_stays_and_falls_to_zero(settings, tmp_path):
    run = settings(tmp_path, steps=100, warmup=10, decay_share=0.3)
    rates = [learning_rate_factor(step, run) for step in range(101)]
    assert rates[0] == 0.1 and rates[9:70] == [1.0] * 61
    assert rates[85] == pytest.approx(0.5) and rates[100] == 0.0
