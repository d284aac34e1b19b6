"""``coarse-loftr slim``: prune to several sizes, retrain each, and say what that cost."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coarse_loftr_lab.commands import calibrate, export, quantize
from coarse_loftr_lab.commands.comparison import progress_bar
from coarse_loftr_lab.commands.prune import add_pruning_options, require_pruning
from coarse_loftr_lab.commands.steps import arguments_of
from coarse_loftr_ros.commands.common.errors import UserError, as_user_error
from coarse_loftr_ros.commands.common.options import add_pipeline_options, make_pipeline

if TYPE_CHECKING:
    from coarse_loftr_lab.pruning.curve import Accuracy
    from coarse_loftr_lab.pruning.pruned_run import Amount, PrunedRun
    from coarse_loftr_lab.pruning.source import Source
    from coarse_loftr_ros.matching.pipeline import Pipeline

__all__ = ["add_parser", "run"]


def add_parser(subparsers: Any) -> argparse.ArgumentParser:
    """Add the command."""
    parser = subparsers.add_parser(
        "slim",
        help="prune to several sizes, retrain each, and print size, time and accuracy",
        description="For each threshold or share: 'prune', 'train' with the unpruned network as "
        "the teacher, export, calibrate and quantise, then measure on random homographies of "
        "photographs that training leaves out, and on a driving sequence. Prints one table with "
        "the unpruned network first. Everything is kept in the folder: the same command goes on "
        "where it was stopped.",
    )
    parser.add_argument(
        "source",
        type=Path,
        metavar="model",
        help="last.pt, the folder of a run or of a model, or a model of the package (fast)",
    )
    parser.add_argument("folder", type=Path, help="folder to write, or to go on with")
    parser.add_argument(
        "--images", type=Path, required=True, metavar="DIR", help="photographs to train on"
    )
    amount = parser.add_mutually_exclusive_group(required=True)
    amount.add_argument(
        "--threshold", type=float, nargs="+", default=(), metavar="T", help="as of 'prune'"
    )
    amount.add_argument(
        "--macs", type=float, nargs="+", default=(), metavar="SHARE", help="as of 'prune'"
    )
    add_pruning_options(parser)
    training = parser.add_argument_group("retraining")
    training.add_argument(
        "--max-minutes", type=float, default=0.0, metavar="X", help="of each; 0: all its steps"
    )
    training.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="any setting of the training, as of 'train', such as steps=4000",
    )
    measuring = parser.add_argument_group("measuring")
    measuring.add_argument(
        "--pairs", type=int, default=200, help="random homographies (default: %(default)s)"
    )
    measuring.add_argument(
        "--sequence",
        type=Path,
        metavar="DIR",
        help="driving sequence in KITTI's layout, for the direction of translation; its images "
        "are also those that are timed (default: neither; a drawn flight is timed)",
    )
    measuring.add_argument(
        "--samples", type=int, default=200, help="photographs for int8 (default: %(default)s)"
    )
    measuring.add_argument(
        "--rounds", type=int, default=12, help="turns of each model (default: %(default)s)"
    )
    measuring.add_argument(
        "--threads", type=int, default=0, help="CPU threads of the runtime; 0: it chooses"
    )
    return parser


def run(args: argparse.Namespace) -> int:
    """Make every size that is not there yet, then measure all."""
    require_pruning()
    from coarse_loftr_lab.evaluation.data.kitti_sequence import KittiSequence
    from coarse_loftr_lab.evaluation.data.random_homographies import RandomHomographies
    from coarse_loftr_lab.pruning.curve import Size, curve_table, folder_name, frame_times
    from coarse_loftr_lab.pruning.pruned_run import Amount, PrunedRun
    from coarse_loftr_lab.pruning.source import open_source

    with as_user_error(ValueError, OSError):
        amounts = [Amount(threshold=t) for t in args.threshold]
        amounts += [Amount(macs=share) for share in args.macs]
        source = open_source(args.source, args.network_pixels)
        pairs = RandomHomographies(args.images, args.pairs)
        sequence = None if args.sequence is None else KittiSequence(args.sequence)
    whole = args.folder / "unpruned"
    code = _whole_model(args, source, whole)
    made = [PrunedRun(args.folder / folder_name(amount)) for amount in amounts]
    for amount, pruned in zip(amounts, made, strict=True):
        code = code or _make(args, source, pruned, amount)
        if code:
            return code
    pipelines = [_pipeline(args, model) for model in (whole, *(each.model for each in made))]
    accuracies = [
        _accuracy(pipeline, each, pairs, sequence)
        for pipeline, each in zip(pipelines, (whole, *(each.path for each in made)), strict=True)
    ]
    with as_user_error(ValueError):
        ratios = frame_times(pipelines, _frames(sequence), args.rounds, progress_bar("time"))
    facts = [each.facts() for each in made]
    costs = [facts[0]["before"], *(fact["after"] for fact in facts)]
    thresholds = [None, *(fact["threshold"] for fact in facts)]
    names = [str(args.source), *map(str, amounts)]
    rows = zip(names, thresholds, costs, accuracies, ratios, strict=True)
    sizes = [Size(n, t, c["parameters"], c["macs"], a, r) for n, t, c, a, r in rows]
    table = curve_table(sizes)
    print(table.text())
    with as_user_error(OSError):
        (args.folder / "curve.md").write_text(table.markdown() + "\n")
    return 0


def _make(args: argparse.Namespace, source: Source, pruned: PrunedRun, amount: Amount) -> int:
    """Prune, retrain and export one size, as far as that is not done; the exit code."""
    from coarse_loftr_lab.pruning.calibration import CalibrationPairs
    from coarse_loftr_lab.pruning.pruned_run import prune
    from coarse_loftr_lab.pruning.source import open_source

    if not pruned.report.exists():
        print(f"{amount}: pruning")
        with as_user_error(ValueError, OSError):
            calibration = None
            if args.calibration is not None:
                calibration = CalibrationPairs(args.calibration, args.calibration_pairs)
            fresh = open_source(source.path, source.network_pixels)
            how = (args.criterion, args.multiple, calibration, args.keep)
            print(prune(fresh, pruned, amount, *how))
    else:
        _require_same(args, source, pruned)
    code = _retrain(args, pruned, amount)
    if code or (pruned.model / "encode.int8.onnx").exists():
        return code
    checkpoint = pruned.path / "run" / "last.pt"
    return _finish(args, checkpoint, pruned.model, str(amount), source.network_pixels)


def _require_same(args: argparse.Namespace, source: Source, pruned: PrunedRun) -> None:
    """Refuse to go on with what was pruned in another way."""
    facts = pruned.facts()
    asked = {
        "source": str(source.path),
        "criterion": args.criterion,
        "multiple": args.multiple,
        "keep": sorted(args.keep),
    }
    for name, value in asked.items():
        before = sorted(facts[name]) if name == "keep" else facts[name]
        if before != value:
            raise UserError(
                f"{pruned.path} was pruned with {name} {before}, not {value}: give another folder"
            )


def _retrain(args: argparse.Namespace, pruned: PrunedRun, amount: Amount) -> int:
    """Train a pruned network on to the end of its run; the exit code."""
    import yaml

    from coarse_loftr_lab.network.checkpoint import load_checkpoint
    from coarse_loftr_lab.pruning.curve import retrain_settings
    from coarse_loftr_lab.training.distributed import joined
    from coarse_loftr_lab.training.plain_values import set_value
    from coarse_loftr_lab.training.run_folder import RunFolder
    from coarse_loftr_lab.training.trainer import Trainer

    run = RunFolder(pruned.path / "run")
    if (run.path / "final.json").exists():
        return 0
    resume = run.checkpoint.exists()
    changes: dict[str, Any] = {"max_minutes": args.max_minutes}
    with as_user_error(ValueError, FileNotFoundError, ModuleNotFoundError):
        for assignment in args.set:
            name, equals, text = assignment.partition("=")
            if not equals:
                raise ValueError(f"--set {assignment}: it must be NAME=VALUE")
            set_value(changes, name, yaml.safe_load(text))
        settings = retrain_settings(pruned, run.path, args.images, changes)
    if resume and load_checkpoint(run.checkpoint).step >= settings.steps:
        return 0  # it was stopped between its last step and its report
    print(f"{amount}: {'going on with the retraining' if resume else 'retraining'}")
    with joined(settings.device) as processes:
        with as_user_error(ValueError, FileNotFoundError, ModuleNotFoundError):
            trainer = Trainer(settings, processes, resume=resume)
        with as_user_error(FloatingPointError):
            trainer.run()
    return 128 + trainer.stopped_by if trainer.stopped_by else 0


def _whole_model(args: argparse.Namespace, source: Source, folder: Path) -> int:
    """Export the unpruned network as the others are, so that all are measured alike."""
    from coarse_loftr_lab.network.checkpoint import save_checkpoint

    if (folder / "encode.int8.onnx").exists():
        return 0
    with as_user_error(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        save_checkpoint(folder / "last.pt", source.net, 0)
    return _finish(args, folder / "last.pt", folder, "unpruned", source.network_pixels)


def _finish(
    args: argparse.Namespace, checkpoint: Path, folder: Path, name: str, pixels: int
) -> int:
    """Export, calibrate and quantise a network; the exit code of the first step that fails."""
    threads = ("--threads", args.threads)
    for command, *words in (
        (export, checkpoint, folder, "--name", name, "--network-pixels", pixels),
        (calibrate, folder, args.images, *threads),
        (quantize, folder, "--images", args.images, "--samples", args.samples, "--pairs", 0,
         *threads),
    ):  # fmt: skip
        code = command.run(arguments_of(command, *words))
        if code:
            return code
    return 0


def _pipeline(args: argparse.Namespace, model: Path) -> Pipeline:
    """As the node runs a model."""
    from coarse_loftr_ros.matching.reference_policy import Consecutive

    parser = argparse.ArgumentParser()
    add_pipeline_options(parser)
    options = parser.parse_args(["--threads", str(args.threads)])
    options.model = model
    return make_pipeline(options, Consecutive(), (640, 480))


def _accuracy(pipeline: Pipeline, folder: Path, pairs: Any, sequence: Any) -> Accuracy:
    from coarse_loftr_lab.pruning.curve import kept_accuracy

    name = pipeline.settings.model.name
    with as_user_error(OSError, ValueError, KeyError):
        return kept_accuracy(
            pipeline, folder / "accuracy.json", pairs, sequence, progress_bar(name)
        )


def _frames(sequence: Any) -> list[Any]:
    """Consecutive images to time with."""
    if sequence is not None:
        return [sequence.image(number) for number in range(min(30, len(sequence)))]
    from coarse_loftr_ros.recordings.rendered.flight import Flight
    from coarse_loftr_ros.recordings.rendered.scene import draw_landscape

    flight = Flight(draw_landscape(), seconds=2.0, width=640, height=480)
    return [frame.image for frame in flight.frames()]
