"""A run leaves everything behind, can stop and go on, and is the same however it is split."""

import json
import math
import subprocess

import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed (make test-train)")

from dataclasses import replace

import cv2
from torch import nn

from coarse_loftr_lab.evaluation.data.split import held_out
from coarse_loftr_lab.network.checkpoint import load_checkpoint, load_network, save_checkpoint
from coarse_loftr_lab.network.matcher_net import MatcherNet
from coarse_loftr_lab.training.distributed import Processes, joined
from coarse_loftr_lab.training.ema import MovingAverage
from coarse_loftr_lab.training.meters import Meters
from coarse_loftr_lab.training.run_folder import git_revision
from coarse_loftr_lab.training.settings import make_settings, read_yaml
from coarse_loftr_lab.training.step import MixedPrecision
from coarse_loftr_lab.training.trainer import Trainer, train

CPU = torch.device("cpu")
ALONE = Processes(0, 1, CPU)


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.fixture(scope="module")
def finished(settings, tmp_path_factory):
    """A whole run and its figures."""
    run = settings(tmp_path_factory.mktemp("runs") / "whole", decay_share=0.01)
    return run, train(run)


def test_a_run_leaves_weights_settings_figures_pictures_and_a_report(finished):
    run, figures = finished
    folder = run.output
    assert figures["step"] == 6 and figures["coarse_loss"] > 0
    assert [line["step"] for line in lines(folder / "figures.jsonl")] == [3, 6]
    training = lines(folder / "training.jsonl")
    assert [line["step"] for line in training] == [2, 4, 6]
    for line in training:
        assert line["pairs_per_second"] > 0 and 0 <= line["waiting_share"] <= 1
        assert math.isfinite(line["loss"]) and line["learning_rate"] > 0
    assert json.loads((folder / "final.json").read_text()) == figures
    assert load_checkpoint(folder / "last.pt").step == 6
    picture = cv2.imread(str(folder / "pictures" / "step_0000006.png"))
    assert picture.shape[1] == 2 * 96 + 6 and picture.std() > 10
    assert (folder / "report.html").stat().st_size > 5000


def test_the_folder_says_what_made_the_run(finished):
    run, _ = finished
    environment = json.loads((run.output / "environment.json").read_text())
    assert environment["libraries"]["torch"] == torch.__version__
    assert environment["processes"] == 1 and environment["revision"]
    again = make_settings(read_yaml(run.output / "settings.yaml"), run.output)
    assert again == run
    assert again.seed == 1


def test_the_revision_is_that_of_the_checkout(tmp_path):
    assert git_revision(tmp_path) == "unknown"
    git = ["git", "-C", str(tmp_path), "-c", "user.name=n", "-c", "user.email=e"]
    (tmp_path / "file").write_text("one")
    for arguments in (["init", "-q"], ["add", "file"], ["commit", "-qm", "one"]):
        subprocess.run([*git, *arguments], check=True)
    clean = git_revision(tmp_path)
    assert len(clean) == 40
    (tmp_path / "file").write_text("two")
    assert git_revision(tmp_path) == clean + "+changes"


def test_a_stopped_run_that_is_resumed_ends_as_one_that_was_not(finished, settings, tmp_path):
    whole, _ = finished
    halves = settings(tmp_path / "halves", decay_share=0.01)
    train(replace(halves, steps=3))
    # What was logged after the last checkpoint happens again.
    with (halves.output / "training.jsonl").open("a") as file:
        file.write('{"step": 5}\n')
    train(halves, resume=True)
    ends = [load_checkpoint(run.output / "last.pt") for run in (whole, halves)]
    for weights in (
        [end.weights for end in ends],
        [end.training["weights"] for end in ends],
    ):
        assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])
    steps = [line["step"] for line in lines(halves.output / "training.jsonl")]
    assert steps == [2, 3, 4, 6]


def test_a_run_is_not_overwritten_and_nothing_is_resumed_from_nothing(finished, settings, tmp_path):
    with pytest.raises(FileNotFoundError, match="nothing to resume"):
        train(settings(tmp_path / "run"), resume=True)
    with pytest.raises(FileExistsError, match="give --resume or another folder"):
        train(finished[0])
    with pytest.raises(ValueError, match="is of step 6 and the run has 6: give more steps"):
        train(finished[0], resume=True)


def test_a_checkpoint_of_another_shape_or_for_use_alone_is_not_resumed(
    settings, tmp_path, tiny_config
):
    run = settings(tmp_path)
    save_checkpoint(tmp_path / "last.pt", MatcherNet(tiny_config), 3)
    with pytest.raises(ValueError, match="only for use"):
        train(run, resume=True)
    with pytest.raises(ValueError, match="has the network"):
        train(replace(run, network=replace(tiny_config, heads=4)), resume=True)


def test_the_gradient_of_a_step_does_not_depend_on_its_parts(settings, tmp_path):
    """Batch norm aside, which sees one part at a time: here it uses its running statistics."""
    trainer = Trainer(settings(tmp_path, batch=8), ALONE)
    for module in trainer.net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.train = lambda mode=True, module=module: module
            module.training = False
    whole = next(iter(trainer.stream))
    gradients = []
    for size in (8, 4, 2):
        parts = [whole.select(slice(start, start + size)) for start in range(0, 8, size)]
        loss = trainer.gradient(parts)
        gradients.append([loss, *(p.grad.clone() for p in trainer.net.parameters())])
    assert sum(float(g.norm()) for g in gradients[0][1:]) > 0.1
    for gradient in gradients[1:]:
        for ours, wanted in zip(gradient, gradients[0], strict=True):
            torch.testing.assert_close(ours, wanted, rtol=1e-4, atol=1e-5)


def test_averaged_weights_follow_and_are_what_is_exported(settings, tmp_path, tiny_config):
    net = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(net.weight)
    average = MovingAverage(net, 0.9)
    nn.init.ones_(net.weight)
    values = []
    for _ in range(200):
        average.update(net)
        values.append(float(average.net.weight))
    assert values[0] == pytest.approx(0.9)  # the first value is soon forgotten
    assert values == sorted(values) and values[-1] == pytest.approx(1.0)

    run = settings(tmp_path, steps=4, learning_rate=0.01, ema_decay=0.9)
    train(run)
    checkpoint = load_checkpoint(tmp_path / "last.pt")
    used, trained = checkpoint.weights, checkpoint.training["weights"]
    assert any(not torch.equal(used[name], trained[name]) for name in used)
    exported = load_network(tmp_path / "last.pt").state_dict()
    assert all(torch.equal(exported[name], used[name]) for name in used)


def test_an_average_without_decay_is_the_network(settings, tmp_path):
    train(settings(tmp_path, steps=2, ema_decay=0.0))
    checkpoint = load_checkpoint(tmp_path / "last.pt")
    for name, value in checkpoint.training["weights"].items():
        torch.testing.assert_close(checkpoint.weights[name], value, rtol=0, atol=1e-7)


def test_half_precision_trains_and_float16_needs_cuda(settings, tmp_path):
    figures = train(settings(tmp_path / "half", amp="bfloat16"))
    assert math.isfinite(figures["loss"])
    weights = load_checkpoint(tmp_path / "half" / "last.pt").training["weights"]
    assert {value.dtype for value in weights.values()} == {torch.float32, torch.int64}
    with pytest.raises(ValueError, match="float16, which needs CUDA"):
        train(settings(tmp_path / "other", amp="float16"))


def test_half_precision_is_of_the_network_alone(tiny_config):
    torch.manual_seed(0)
    net = MatcherNet(tiny_config).eval()
    images = torch.rand(2, 1, 1, 64, 96)
    with torch.no_grad():
        exact = net(*images, (3, 5))
        same, half = (MixedPrecision(net, amp)(*images, (3, 5)) for amp in ("off", "bfloat16"))
        elsewhere = net(*images)
    assert all(torch.equal(a, b) for a, b in zip(exact, same, strict=True))
    assert not torch.equal(exact[0], elsewhere[0])
    assert {answer.dtype for answer in half} == {torch.float32}
    assert 0 < (half[0] - exact[0]).abs().max() < 1


def test_a_loss_that_is_not_finite_stops_the_run_and_names_the_step(settings, tmp_path):
    run = settings(tmp_path, checkpoint_every=1, steps=20)
    trainer = Trainer(run, ALONE)
    advance = trainer.advance

    def spoil(parts):
        if trainer.step == 3:
            with torch.no_grad():
                next(iter(trainer.net.parameters())).fill_(torch.nan)
        advance(parts)

    trainer.advance = spoil
    with pytest.raises(FloatingPointError, match=r"at step 4 \(pairs 6 to 7\)"):
        trainer.run()
    checkpoint = load_checkpoint(tmp_path / "last.pt")
    assert checkpoint.step == 3
    assert all(torch.isfinite(value).all() for value in checkpoint.weights.values())


def test_means_leave_out_what_was_not_measured():
    meters = Meters(CPU)
    for value in (1.0, torch.nan, 3.0):
        meters.add({"recall": torch.tensor(value)})
    assert meters.take(ALONE) == {"recall": 2.0}


def test_a_device_that_is_not_there_is_refused():
    with pytest.raises(ValueError, match="it must be auto, cpu or cuda"), joined("tpu"):
        pass
    if not torch.cuda.is_available():
        with pytest.raises(ValueError, match=r"PyTorch finds 0 GPU\(s\)"), joined("cuda"):
            pass


def test_photographs_of_which_none_is_held_out_are_refused_at_once(settings, photographs, tmp_path):
    kept = next(path for path in photographs.iterdir() if not held_out(path))
    few = tmp_path / photographs.name
    few.mkdir()
    (few / kept.name).write_bytes(kept.read_bytes())
    with pytest.raises(FileNotFoundError, match="validation split"):
        Trainer(settings(tmp_path / "run", images=(few,)), ALONE)
