"""A run may start from the weights of another network, or of a model."""

import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed (make test-train)")

from dataclasses import replace
from pathlib import Path

from torch import nn

from coarse_loftr_lab.network.checkpoint import save_checkpoint
from coarse_loftr_lab.network.matcher_net import MatcherConfig, MatcherNet
from coarse_loftr_lab.network.restore import open_network
from coarse_loftr_lab.training.distributed import Processes
from coarse_loftr_lab.training.initialise import initialise
from coarse_loftr_lab.training.stream import ValidationPairs
from coarse_loftr_lab.training.trainer import Trainer

CPU = torch.device("cpu")


def test_a_deeper_network_starts_as_the_shallower_one_it_is_made_of(tmp_path, tiny_config):
    torch.manual_seed(3)
    net = MatcherNet(tiny_config)
    save_checkpoint(tmp_path / "small.pt", net, 0)
    deeper = MatcherNet(replace(tiny_config, stage_blocks=(1, 0, 2, 0), cross_layers=2))
    sentence = initialise(deeper, tmp_path / "small.pt")
    assert "new here: cross_layers.1" in sentence and "not taken" not in sentence
    images = torch.rand(2, 1, 1, 64, 96)
    with torch.no_grad():
        for ours, theirs in zip(net.eval()(*images), deeper.eval()(*images), strict=True):
            torch.testing.assert_close(ours, theirs)


def test_weights_that_do_not_fit_are_named_and_nothing_at_all_is_refused(tmp_path, tiny_config):
    net = MatcherNet(tiny_config)
    save_checkpoint(tmp_path / "small.pt", net, 0)
    wider = MatcherNet(replace(tiny_config, fine_channels=12))
    assert "not taken: fine" in initialise(wider, tmp_path / "small.pt")
    assert torch.equal(wider.descriptor.weight, net.descriptor.weight)
    with pytest.raises(ValueError, match="has a name and shape of this network"):
        initialise(nn.Linear(2, 2), tmp_path / "small.pt")


def test_a_run_begins_as_the_shipped_model_it_starts_from(settings, tmp_path):
    run = settings(tmp_path / "run", initialise=Path("fast"), network=MatcherConfig())
    net = Trainer(run, Processes(0, 1, CPU)).net
    model = open_network(Path("fast"))
    images = next(ValidationPairs(run).batches(CPU)).reference
    with torch.no_grad():
        ours, theirs = (one.encode(images)[0] for one in (net.eval(), model))
        torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-3)
        # Once it trains, norms use the images' own statistics, and the model's are not known.
        apart = [(one.train().encode(images)[0] - theirs).abs().mean() for one in (net, model)]
    assert apart[0] < 0.5 * apart[1]
