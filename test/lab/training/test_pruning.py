"""Channels leave a network together; what is left exports, loads and trains like any other."""

import importlib.util
import json

import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed (make test-train)")
pytest.importorskip("torch_pruning", reason="torch-pruning is not installed (make test-train)")

import copy
from pathlib import Path

from scenes import texture
from torch import nn

from coarse_loftr_lab.commands import calibrate, release, slim
from coarse_loftr_lab.network.checkpoint import load_checkpoint, load_network, save_checkpoint
from coarse_loftr_lab.network.config import InnerChannels, MatcherConfig
from coarse_loftr_lab.network.cost import network_macs, network_parameters
from coarse_loftr_lab.network.matcher_net import MatcherNet
from coarse_loftr_lab.network.restore import open_network
from coarse_loftr_lab.pruning.calibration import CalibrationPairs
from coarse_loftr_lab.pruning.channels import Pruner
from coarse_loftr_lab.pruning.pruned_run import Amount, PrunedRun
from coarse_loftr_lab.pruning.source import open_source
from coarse_loftr_lab.training.plain_values import from_plain, to_plain
from coarse_loftr_lab.training.settings import make_settings, read_yaml
from coarse_loftr_lab.training.trainer import train
from coarse_loftr_ros.commands import cli
from coarse_loftr_ros.commands.registry import make_parser

CONFIG = MatcherConfig(
    stage_channels=(8, 8, 16, 16),
    stage_blocks=(0, 1, 1, 0),
    token_channels=16,
    heads=2,
    fine_channels=8,
)


@pytest.fixture(scope="module")
def net() -> MatcherNet:
    """Every layer in use, and batch norms with statistics and scales of their own."""
    torch.manual_seed(3)
    net = MatcherNet(CONFIG)
    with torch.no_grad():
        for name, value in net.named_parameters():
            if value.dim() < 2 and not name.startswith("log_"):
                value.uniform_(0.2, 1.0)
        net.fine_context.weight.normal_(0, 0.3)
        net.train().encode(torch.rand(4, 1, 64, 96))
    return net.eval()


@pytest.fixture
def checkpoint(net, tmp_path) -> Path:
    save_checkpoint(tmp_path / "whole.pt", net, 1)
    return tmp_path / "whole.pt"


@pytest.fixture(scope="module")
def pairs(photographs) -> CalibrationPairs:
    return CalibrationPairs(photographs, 4, (96, 64))


def without(net: MatcherNet, groups) -> MatcherNet:
    """The whole network with silence in the channels that pruning took."""
    net = copy.deepcopy(net)
    modules = dict(net.named_modules())
    with torch.no_grad():
        for group in groups:
            gone = sorted(set(range(group.channels)) - set(group.kept))
            for name in group.layers:
                parent, _, number = name.rpartition(".")
                norm = modules.get(f"{parent}.{int(number) + 1}") if number.isdigit() else None
                for module in (modules[name], norm):
                    if isinstance(module, nn.Conv2d | nn.BatchNorm2d):
                        module.weight[gone] = 0.0
                        if module.bias is not None:
                            module.bias[gone] = 0.0
    return net


@pytest.mark.parametrize("multiple", [1, 2])
def test_what_is_left_computes_as_if_the_others_were_silent(net, multiple):
    smaller, groups = Pruner(net, "l1", multiple).cut(0.95)
    assert any(len(group.kept) < group.channels for group in groups)
    made = {name: group for group in groups for name in group.layers}
    # Residual sums, the sum of the fine features, and cross-layer sums are one group each.
    assert made["stage8.0.0"] is made["stage8.1.conv2.0"] is not made["stage8.1.conv1.0"]
    assert made["lateral4"] is made["lateral8"] is made["fine_context"]
    assert made["token"] is made["self_layers.0.mlp.2"] is made["cross_layers.0.mlp.2"]
    assert smaller.stage4[0][0].in_channels == 16  # the pixels of a cell, which nothing computes
    image = torch.rand(1, 1, 64, 96)
    with torch.no_grad():
        ours, theirs = smaller.encode(image)[1], without(net, groups).encode(image)[1]
    torch.testing.assert_close(ours, theirs[:, list(made["fine"].kept)], rtol=1e-4, atol=1e-5)


def test_tokens_keep_their_channels_of_the_position_encoding_and_heads_their_places(net):
    smaller, groups = Pruner(net, "l1", multiple=2).cut(0.97)
    made = {name: group for group in groups for name in group.layers}
    kept = list(made["token"].kept)
    assert len(kept) < 16
    assert smaller.config.pruned.positions == tuple(kept)
    assert torch.equal(smaller.position_x, net.position_x[:, kept])
    assert torch.equal(smaller.position_y, net.position_y[:, kept])
    for layer in ("self_layers.0", "cross_layers.0"):
        keys = made[f"{layer}.k_proj"]
        assert keys is made[f"{layer}.q_proj"] is made[f"{layer}.v_proj"]
        first = [channel for channel in keys.kept if channel < 8]
        assert list(keys.kept) == [*first, *(channel + 8 for channel in first)]
        weight = dict(net.named_modules())[f"{layer}.k_proj"].weight[list(keys.kept)][:, kept]
        assert torch.equal(dict(smaller.named_modules())[f"{layer}.k_proj"].weight, weight)


def test_a_share_of_the_multiplications_is_kept_and_channels_are_multiples(net):
    smaller, groups, threshold = Pruner(net, "l1", multiple=4).cut_to(0.6, (96, 64))
    share = network_macs(smaller.config, (96, 64)) / network_macs(net.config, (96, 64))
    assert 0.3 < share <= 0.6 and threshold > 0
    assert all(len(group.kept) % 4 == 0 for group in groups)
    again, _ = Pruner(net, "l1", multiple=4).cut(threshold)
    assert again.config == smaller.config
    assert network_parameters(smaller.config) == sum(p.numel() for p in smaller.parameters())


def test_layers_that_are_named_keep_all_channels(net):
    smaller, groups, _ = Pruner(net, "l1", 2, keep=("fine", "lateral4")).cut_to(0.7, (96, 64))
    assert (smaller.config.fine_channels, smaller.config.pruned.fine) == (8, 8)
    assert not {"fine", "lateral4", "lateral8"} & {name for g in groups for name in g.layers}


def test_a_pruned_shape_survives_checkpoints_and_settings_and_can_be_pruned_again(net, tmp_path):
    smaller, _ = Pruner(net, "l1", multiple=2).cut(0.95)
    save_checkpoint(tmp_path / "smaller.pt", smaller, 0)
    loaded = load_network(tmp_path / "smaller.pt")
    assert loaded.config == smaller.config
    assert from_plain(MatcherConfig, to_plain(smaller.config)) == smaller.config
    read = json.loads(json.dumps(smaller.config.to_dict()))
    assert MatcherConfig.from_dict(read) == smaller.config
    again, _ = Pruner(loaded, "l1", multiple=1).cut(1.0)
    assert network_parameters(again.config) < network_parameters(loaded.config)
    kept, before = again.config.pruned.positions, loaded.config.pruned.positions
    assert set(kept) < set(before)
    image = torch.rand(1, 1, 64, 96)
    assert torch.isfinite(again(image, image)[0]).all()


def test_without_loss_nothing_changes(net):
    same, groups = Pruner(net, "l1").cut(1e-6)
    assert all(len(group.kept) == group.channels for group in groups)
    image = torch.rand(1, 1, 64, 96)
    assert torch.equal(same.encode(image)[0], net.encode(image)[0])


@pytest.mark.parametrize("criterion", ["bn", "taylor"])
def test_photographs_judge_channels_and_give_norms_their_statistics_back(net, pairs, criterion):
    whole = copy.deepcopy(net)
    image = torch.rand(1, 1, 64, 96)
    before = whole.encode(image)[0]
    pairs.prepare(whole, gradients=criterion == "taylor")
    torch.testing.assert_close(whole.encode(image)[0], before, rtol=1e-3, atol=1e-3)
    smaller, groups, _ = Pruner(whole, criterion, multiple=2).cut_to(0.7, (96, 64))
    tokens = [group for group in groups if "token" in group.layers]
    assert bool(tokens) == (criterion == "taylor")  # no batch norm judges them
    pairs.settle(smaller)
    seen = {}
    hook = smaller.stage8[0][1].register_forward_hook(
        lambda norm, inputs, output: seen.update(mean=inputs[0].mean((0, 2, 3)))
    )
    smaller.encode(pairs._views())
    hook.remove()
    torch.testing.assert_close(seen["mean"], smaller.stage8[0][1].running_mean, rtol=0.2, atol=0.1)
    assert 0.0 <= pairs.recall(smaller) <= 1.0


def test_a_pruned_model_is_exported_restored_and_trained_with_its_teacher(
    checkpoint, photographs, tmp_path, capsys
):
    folder = tmp_path / "pruned"
    words = ["prune", checkpoint, folder, "--macs", "0.6", "--multiple", "2", "--name", "small"]
    assert cli.main([*map(str, words), "--network-pixels", "6144"]) == 0
    said = capsys.readouterr().out
    assert "stage8.0.0, stage8.1.conv2.0" in said and "macs, million" in said
    pruned = PrunedRun(folder)
    small = load_network(pruned.checkpoint)
    facts = pruned.facts()
    assert facts["after"]["parameters"] == network_parameters(small.config)
    assert facts["after"]["macs"] <= 0.6 * facts["before"]["macs"]
    assert open_network(pruned.model).config == small.config
    assert json.loads((pruned.model / "model.json").read_text())["network_pixels"] == 6144
    values = read_yaml(pruned.settings)
    assert values["distillation"]["teacher"] == str(checkpoint.resolve())
    values |= {"images": [str(photographs)], "steps": 2, "batch": 2, "width": 96, "height": 64}
    values |= {"validation_pairs": 2, "l1": 0.1}
    figures = train(make_settings(values, tmp_path / "run"))
    assert figures["step"] == 2
    trained = load_network(tmp_path / "run" / "last.pt")
    assert trained.config == small.config
    assert not torch.equal(trained.token.weight, small.token.weight)
    rows = release._beginning(read_yaml(tmp_path / "run" / "settings.yaml"))
    assert rows["Weights from"].startswith(f"{checkpoint}, pruned to macs 0.6 by l1 (channels in")
    assert rows["Teacher"].endswith("whole.pt, 50% of the loss, temperature 2")


def test_a_shipped_model_is_pruned(tmp_path):
    source = open_source(Path("fast"))
    assert source.size == (448, 320)
    smaller, _, _ = Pruner(source.net, "l1").cut_to(0.5, source.size)
    assert network_parameters(smaller.config) < 0.25e6


def test_l1_brings_the_scales_of_batch_norms_to_zero(settings, tmp_path):
    train(settings(tmp_path / "run", l1=1e4, weight_decay=0.0, ema_decay=0.0))
    net = load_network(tmp_path / "run" / "last.pt")
    scales = [m.weight for m in net.modules() if isinstance(m, nn.BatchNorm2d)]
    assert all((scale == 0).all() for scale in scales)
    with pytest.raises(ValueError, match=r"l1 is -1; it must be 0 or more"):
        settings(tmp_path / "run", l1=-1.0)


SLIM = (
    *("--threshold", "0.95", "--multiple", "2", "--network-pixels", "6144", "--pairs", "2"),
    *("--samples", "2", "--rounds", "1", "--threads", "1", "--set", "steps=2", "--set", "batch=2"),
    *("--set", "width=96", "--set", "height=64", "--set", "validation_pairs=2"),
)


def test_sizes_are_made_once_and_compared_in_one_table(
    checkpoint, photographs, tmp_path, capsys, monkeypatch
):
    # What takes seconds and is tested elsewhere: 200 pairs of each model, a drawn flight.
    monkeypatch.setattr(calibrate, "run", lambda args: 0)
    monkeypatch.setattr(slim, "_frames", lambda sequence: [texture(160, 96, seed=1)] * 2)
    words = ["slim", str(checkpoint), str(tmp_path / "sizes"), "--images", str(photographs), *SLIM]
    assert cli.main(words) == 0
    said = capsys.readouterr().out
    assert "threshold 0.95: retraining" in said and "threshold 0.95: pruning" in said
    run = tmp_path / "sizes" / "threshold_0.95" / "run"
    made = (run / "last.pt").stat().st_mtime_ns
    assert cli.main(words) == 0
    again = capsys.readouterr().out
    assert "retraining" not in again and "pruning" not in again
    assert (run / "last.pt").stat().st_mtime_ns == made
    header, _, whole, smaller = again.splitlines()[-4:]
    assert all(name in header for name in ("parameters", "MACs", "time", "AUC@1/3/5/10", "direct"))
    assert "(100%)" in whole and "1.00 [1.00, 1.00]" in whole
    assert smaller.startswith("threshold 0.95") and "(100%)" not in smaller
    assert (tmp_path / "sizes" / "curve.md").read_text().count("\n") == 4
    (run / "final.json").unlink()  # a run that was stopped
    args = make_parser().parse_args([*words, "--set", "steps=3"])
    assert slim._retrain(args, PrunedRun(run.parent), Amount(threshold=0.95)) == 0
    assert "going on with the retraining" in capsys.readouterr().out
    assert load_checkpoint(run / "last.pt").step == 3
    made = str(run.parent)
    for changed, sentence in (
        (("--criterion", "bn"), f"{made} was pruned with criterion l1, not bn: give another"),
        (("--multiple", "4"), f"{made} was pruned with multiple 2, not 4"),
        (("--keep", "fine"), f"{made} was pruned with keep [], not ['fine']"),
    ):
        assert sentence in refused(capsys, *words, *changed)
    words[1] = "fast"
    assert f"{made} was pruned with source " in refused(capsys, *words)


def refused(capsys, *words) -> str:
    assert cli.main([str(word) for word in words]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    return said


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--threshold", "9"), "threshold 9 leaves no channel of"),
        (("--threshold", "-1"), "threshold is -1; it must be above 0"),
        (("--threshold", "nan"), "threshold is nan; it must be above 0"),
        (("--macs", "1"), "share of multiplications is 1; it must be within 0 and 1"),
        (("--macs", "0"), "share of multiplications is 0; it must be within 0 and 1"),
        (("--macs", "0.001"), "0.001; 8 channel(s) of each kind need 0."),
        (("--macs", "0.5", "--multiple", "0"), "multiple is 0; it must be at least 1"),
        (("--macs", "0.5", "--keep", "fin"), "no layer fin to keep; it must be one of cross_lay"),
        (("--macs", "0.5", "--criterion", "taylor"), "needs the gradients of calibration images"),
        (("--macs", "0.5", "--calibration", "nowhere"), "nowhere: no images"),
        (("--macs", "0.5", "--network-pixels", "0"), "network pixels are 0; at least 1024"),
        (
            ("--macs", "0.5", "--calibration", ".", "--calibration-pairs", "0"),
            "calibration pairs are 0; at least 1",
        ),
    ],
)
def test_what_cannot_be_pruned_is_said_in_a_sentence(checkpoint, tmp_path, capsys, words, sentence):
    assert sentence in refused(capsys, "prune", checkpoint, tmp_path / "new", *words)
    assert not (tmp_path / "new").exists()


def test_what_is_no_network_is_said_in_a_sentence(checkpoint, tmp_path, capsys):
    words = (tmp_path / "new", "--macs", "0.5")
    assert "does not exist; it must be a ch" in refused(capsys, "prune", "nowhere", *words)
    assert "holds neither the last.pt" in refused(capsys, "prune", tmp_path, *words)
    (tmp_path / "text.pt").write_text("?")
    assert "text.pt is no checkpoint of" in refused(capsys, "prune", tmp_path / "text.pt", *words)
    checkpoint.rename(tmp_path / "last.pt")
    assert "exists: give another" in refused(capsys, "prune", tmp_path, tmp_path, "--macs", "0.5")


def test_folded_batch_norms_judge_nothing(tmp_path, capsys):
    words = ("prune", "fast", tmp_path / "new", "--macs", "0.5", "--criterion", "bn")
    assert "give calibration images" in refused(capsys, *words)


def test_without_torch_pruning_its_extra_is_named(checkpoint, tmp_path, capsys, monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "torch_pruning" else find(name)
    )
    said = refused(capsys, "prune", checkpoint, tmp_path / "new", "--macs", "0.5")
    assert "pip install 'coarse_loftr_lab[prune]'" in said


def test_channels_that_do_not_fit_the_layers_are_refused(net):
    smaller, _ = Pruner(net, "l1", multiple=2).cut(0.95)
    values = smaller.config.to_dict()
    values["pruned"]["blocks"] = [8]
    with pytest.raises(ValueError, match=r"network\.pruned\.blocks has 1 values; .* needs 2"):
        MatcherConfig.from_dict(values)
    inner = InnerChannels(**{**to_plain(smaller.config.pruned), "positions": (99,) * 16})
    with pytest.raises(ValueError, match=r"positions holds 99; .* below the width"):
        MatcherConfig(**{**vars(CONFIG), "pruned": inner})


def test_either_a_threshold_or_a_share_is_given():
    with pytest.raises(ValueError, match="either a threshold or a share"):
        Amount()
