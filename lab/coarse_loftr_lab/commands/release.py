"""``coarse-loftr release``: a run folder becomes a model that can be handed on, with its card."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from coarse_loftr_lab.commands import calibrate, export, quantize
from coarse_loftr_lab.commands.steps import arguments_of
from coarse_loftr_ros.commands.common.errors import UserError, as_user_error
from coarse_loftr_ros.files.whole_files import whole_file

if TYPE_CHECKING:
    from coarse_loftr_lab.training.run_folder import RunFolder

__all__ = ["add_parser", "run"]


def add_parser(subparsers: Any) -> argparse.ArgumentParser:
    """Add the command."""
    parser = subparsers.add_parser(
        "release",
        help="export, calibrate and quantise a training run, and write the model's card",
        description="Do what 'export', 'calibrate' and 'quantize' do, one after the other, with "
        "the last checkpoint of a run folder and the photographs that it was trained on, and "
        "write README.md with what the model is, how it was trained and what was measured.",
    )
    parser.add_argument(
        "source", type=Path, metavar="run", help="run folder of 'coarse-loftr train'"
    )
    parser.add_argument("folder", type=Path, help="model folder to write")
    parser.add_argument(
        "--images",
        type=Path,
        metavar="DIR",
        help="photographs to calibrate, quantise and measure with (default: the run's own; needed "
        "where that had several folders)",
    )
    parser.add_argument("--name", help="of the model (default: the folder's name)")
    parser.add_argument(
        "--network-pixels",
        type=int,
        default=512 * 384,
        metavar="PX",
        help="of the image that the network shall see by default (default: %(default)s, 512x384)",
    )
    parser.add_argument(
        "--pairs",
        type=int,
        default=200,
        help="to calibrate with, and to measure each precision on (default: %(default)s)",
    )
    parser.add_argument(
        "--samples",
        type=int,
        default=200,
        metavar="N",
        help="most photographs to take int8's ranges from (default: %(default)s)",
    )
    parser.add_argument(
        "--threads", type=int, default=0, help="CPU threads of the runtime; 0: it chooses"
    )
    return parser


def run(args: argparse.Namespace) -> int:
    """Make the model; the first step that fails ends it."""
    from coarse_loftr_lab.commands.train import require_torch

    require_torch("yaml")
    from coarse_loftr_lab.training.run_folder import RunFolder

    made = RunFolder(args.source)
    with as_user_error(FileNotFoundError):
        made.check(resume=True)
    images = args.images or _images(made)
    name = args.name or args.folder.resolve().name
    threads = ("--threads", args.threads)
    with TemporaryDirectory() as folder:
        figures = Path(folder) / "figures.json"
        steps = (
            (export, made.checkpoint, args.folder, "--name", name,
             "--network-pixels", args.network_pixels),
            (calibrate, args.folder, images, "--pairs", args.pairs, *threads),
            (quantize, args.folder, "--images", images, "--samples", args.samples,
             "--pairs", args.pairs, "--json", figures, *threads),
        )  # fmt: skip
        for command, *words in steps:
            code = command.run(arguments_of(command, *words))
            if code:
                return code
        measured = json.loads(figures.read_text())
    card = args.folder / "README.md"
    with as_user_error(OSError), whole_file(card) as new:
        new.write_text(_card(made, args.folder, measured))
    print(f"written: {card}")
    return 0


def _images(made: RunFolder) -> Path:
    """The one folder of photographs of a run.

    Raises:
        UserError: when it had several, or none that is still there.
    """
    from coarse_loftr_lab.training.settings import read_yaml

    with as_user_error(FileNotFoundError, ValueError):
        folders = read_yaml(made.settings).get("images") or []
    if len(folders) != 1 or not Path(folders[0]).is_dir():
        found = ", ".join(map(str, folders)) or "none"
        raise UserError(f"the run's photographs are {found}: give one folder with --images")
    return Path(folders[0])


def _beginning(settings: dict[str, Any]) -> dict[str, str]:
    """What the run started from and learned from, as rows of the card."""
    from coarse_loftr_lab.pruning.pruned_run import PrunedRun

    rows = {}
    if settings.get("initialise"):
        start = Path(settings["initialise"])
        pruned = PrunedRun.of_checkpoint(start)
        rows["Weights from"] = pruned.sentence() if pruned is not None else str(start)
    if settings.get("distillation"):
        teacher = settings["distillation"]
        rows["Teacher"] = (
            f"{teacher['teacher']}, {1 - teacher['ground_truth_weight']:.0%} of the loss, "
            f"temperature {teacher['temperature']:g}"
        )
    return rows


def _card(made: RunFolder, folder: Path, measured: dict[str, Any]) -> str:
    """The model's card."""
    from coarse_loftr_lab.evaluation.precision_tables import precision_tables
    from coarse_loftr_lab.network.checkpoint import load_checkpoint
    from coarse_loftr_lab.training.settings import read_yaml
    from coarse_loftr_ros.backends.base import INT8_GRAPH, ModelFiles

    model, settings = ModelFiles.load(folder), read_yaml(made.settings)
    checkpoint, environment = load_checkpoint(made.checkpoint), made.read("environment.json")
    validation = made.read("final.json") or (made.lines("figures.jsonl") or [{}])[-1]
    parameters = sum(w.numel() for w in checkpoint.weights.values() if w.is_floating_point())
    sizes = {
        f.name: f.stat().st_size / 1e6 for f in (model.encode, model.match, folder / INT8_GRAPH)
    }
    facts = {
        "Values in weights and batch norms": f"{parameters / 1e6:.2f} million",
        "Files": ", ".join(f"`{file}` {size:.1f} MB" for file, size in sizes.items()),
        "sha256": model.sha256,
        "Sees by default": f"{model.network_size(640, 480)} of a VGA image",
        "Trained": f"{checkpoint.step} steps of {settings['batch']} pairs, "
        f"{settings['width']}x{settings['height']} px, amp {settings['amp']}, "
        f"seed {settings['seed']}",
        **_beginning(settings),
        "Rate": f"{settings['learning_rate']:g}, falling over the last "
        f"{settings['decay_share']:.0%}",
        "Photographs": ", ".join(str(each) for each in settings["images"]),
        "Hardware": f"{environment.get('device', 'unknown')}, "
        f"{environment.get('processes', 1)} process(es)",
        "Revision": str(environment.get("revision", "unknown")),
        "Validation": ", ".join(f"{name} {value:g}" for name, value in validation.items()),
        "Confidence": f"calibrated at {len(model.calibration)} points",
    }
    lines = [f"# Model card: {model.name}", "", "| | |", "|---|---|"]
    lines += [f"| {name} | {text} |" for name, text in facts.items()]
    lines += ["", "Every setting is in the run's `settings.yaml`. Measured on photographs that "
              "training leaves out, by `coarse-loftr evaluate precision`:"]  # fmt: skip
    for title, table in precision_tables(measured["report"]).items():
        lines += ["", f"{title}:", "", table.markdown()]
    return "\n".join(lines) + "\n"
