"""A run leaves everything behind, can stop and go on, and is the same however it is split."""

import json
import math
import signal
import subprocess

import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed (make test-train)")

from dataclasses import replace

import cv2
import yaml
from torch import nn

from coarse_loftr_lab.evaluation.data.split import held_out
from coarse_loftr_lab.network.checkpoint import load_checkpoint, load_network, save_checkpoint
from coarse_loftr_lab.network.matcher_net import MatcherNet
from coarse_loftr_lab.training.distributed import Processes, joined
from coarse_loftr_lab.training.ema import MovingAverage
from coarse_loftr_lab.training.ending import StopRequest, TimePlan
from coarse_loftr_lab.training.meters import Meters
from coarse_loftr_lab.training.recipes import PairRecipes, find_images
from coarse_loftr_lab.training.run_folder import git_revision
from coarse_loftr_lab.training.settings import (
    SequenceSettings,
    learning_rate_factor,
    make_settings,
    read_yaml,
)
from coarse_loftr_lab.training.step import MixedPrecision
from coarse_loftr_lab.training.stream import TrainingStream
from coarse_loftr_lab.training.trainer import Trainer, train
from coarse_loftr_lab.training.views import render_pairs

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


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"width": 100}, "width is 100"),
        ({"steps": 0}, "steps is 0"),
        ({"batch": 0}, "batch is 0"),
        ({"amp": "half"}, "amp is 'half'; it must be one of off, bfloat16, float16"),
        ({"ema_decay": 1.0}, "ema_decay is 1"),
        ({"images": ()}, "at least one folder"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings, tmp_path, bad, message):
    with pytest.raises(ValueError, match=message):
        settings(tmp_path, **bad)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("stepps: 3", "unknown setting stepps; allowed are images, .*distillation"),
        ("network: {colour: 3}", "unknown setting network.colour; allowed are .*token_channels"),
        ("distillation: {temperature: 2}", "distillation.teacher is missing"),
        ("steps: many", "steps is 'many'; it must be a whole number"),
        ("network: {stage_channels: [8, 8]}", "network.stage_channels .* takes 4 values"),
        ("output: there", "output: the run folder is given on the command line"),
        ("steps: [", "is not YAML"),
        ("- steps", "holds no keys and values"),
    ],
)
def test_a_file_with_anything_unknown_in_it_is_refused(tmp_path, photographs, text, message):
    (tmp_path / "settings.yaml").write_text(text)
    with pytest.raises(ValueError, match=message):
        values = read_yaml(tmp_path / "settings.yaml")
        make_settings({**values, "images": [str(photographs)]}, tmp_path)


def test_a_number_that_yaml_takes_for_text_is_a_number(tmp_path, photographs):
    values = yaml.safe_load(
        "learning_rate: 1e-3\nweight_decay: 1\nnetwork: {stage_blocks: [0,0,1,0]}"
    )
    made = make_settings({**values, "images": [str(photographs)]}, tmp_path)
    assert (made.learning_rate, made.weight_decay) == (1e-3, 1.0)
    assert made.network.stage_blocks == (0, 0, 1, 0)


def test_images_without_truth_need_a_teacher(settings, photographs, tmp_path):
    with pytest.raises(ValueError, match="need distillation"):
        settings(tmp_path, sequences=(SequenceSettings("frames", photographs),))


def test_the_rate_rises_stays_and_falls_to_zero(settings, tmp_path):
    run = settings(tmp_path, steps=100, warmup=10, decay_share=0.3)
    rates = [learning_rate_factor(step, run) for step in range(101)]
    assert rates[0] == 0.1 and rates[9:70] == [1.0] * 61
    assert rates[85] == pytest.approx(0.5) and rates[100] == 0.0


def test_pairs_are_dealt_out_the_same_however_many_processes_and_parts(settings, tmp_path):
    def references(count, accumulate):
        run = settings(tmp_path, steps=2, batch=8, accumulate=accumulate)
        streams = [TrainingStream(run, Processes(rank, count, CPU), 0) for rank in range(count)]
        parts = [[part.to_current for part in stream] for stream in streams]
        return torch.stack(
            [
                torch.cat([torch.cat(own[step * accumulate :][:accumulate]) for own in parts])
                for step in range(2)
            ]
        )

    whole = references(1, 1)
    assert whole.shape[:2] == (2, 8)
    assert torch.equal(references(2, 1), whole)
    assert torch.equal(references(2, 2), whole)
    with pytest.raises(ValueError, match="batch is 8; 3 process"):
        references(3, 1)


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


def test_several_folders_of_photographs_are_one_set(settings, photographs, tmp_path):
    other = tmp_path / "more"
    other.mkdir()
    for number, path in enumerate(sorted(photographs.iterdir())[:5]):
        cv2.imwrite(str(other / f"{number}.png"), cv2.imread(str(path)))
    with_other = settings(tmp_path / "run", images=(photographs, other))
    stream = TrainingStream(with_other, ALONE, 0)
    names = {path.parent for path in stream._loader.dataset.recipes.images}
    assert names == {photographs, other}


def test_the_rate_falls_with_the_time_of_a_run_that_has_an_end(settings, tmp_path, monkeypatch):
    now = [0.0]
    monkeypatch.setattr("coarse_loftr_lab.training.ending.time.monotonic", lambda: now[0])
    run = settings(tmp_path, steps=1000, warmup=0, decay_share=0.5, max_minutes=10.0)
    plan = TimePlan(run)
    plan.validated(50.0)  # with saving and exporting, 80 s are kept for the end
    rates = {}
    for now[0] in (0.0, 250.0, 390.0, 519.0, 520.0, 900.0):
        rates[now[0]] = learning_rate_factor(3, run, plan.progress(3))
    assert (rates[0.0], rates[250.0], rates[390.0]) == (1.0, 1.0, 0.5)
    assert 0 < rates[519.0] < 0.01 and rates[520.0] == rates[900.0] == 0.0
    now[0] = 0.0
    assert plan.progress(1000) == 1.0  # the steps may be over before the time is
    with pytest.raises(ValueError, match="max_minutes is -1; it must be 0 or more"):
        settings(tmp_path, max_minutes=-1.0)


def test_one_request_to_stop_is_noted_and_another_ends_the_process(monkeypatch):
    now = [10.0]
    monkeypatch.setattr("coarse_loftr_lab.training.ending.time.monotonic", lambda: now[0])
    before = signal.getsignal(signal.SIGTERM)
    with StopRequest() as request:
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGTERM)  # passed on by a launcher
        assert request.number == signal.SIGTERM
        now[0] += 3.0
        with pytest.raises(SystemExit) as ended:
            signal.raise_signal(signal.SIGINT)
        assert ended.value.code == 130
    assert signal.getsignal(signal.SIGTERM) == before


def test_pairs_are_the_same_however_many_are_rendered_at_once(photographs):
    size = (96, 64)
    recipes = PairRecipes(find_images(photographs, held_out_split=False), size, 8, 3)
    batch = PairRecipes.collate([recipes[k] for k in range(5)])
    whole, parts = render_pairs(batch, size, 5), render_pairs(batch, size, 2)
    for name in ("reference_visible", "current_visible"):
        same = getattr(whole, name) == getattr(parts, name)
        assert same.float().mean() > 0.999
    torch.testing.assert_close(whole.to_current, parts.to_current, atol=1e-2, rtol=1e-3)
