"""``coarse-loftr train``: train the project's network on folders of photographs."""

from __future__ import annotations

import argparse
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coarse_loftr_lab.commands.steps import arguments_of
from coarse_loftr_ros.commands.common.errors import UserError, as_user_error

if TYPE_CHECKING:
    from coarse_loftr_lab.training.run_folder import RunFolder

__all__ = ["add_parser", "require_torch", "run"]

# Settings that are often changed; all others by --set. Their defaults are those of
# TrainingSettings, which cannot be imported here because it imports PyTorch.
_OPTIONS: tuple[tuple[str, type, str], ...] = (
    ("steps", int, "optimiser steps of the whole run; may change when it is resumed"),
    (
        "max_minutes",
        float,
        "end in this time, the fall of the rate planned for it and the ending included",
    ),
    ("batch", int, "pairs per step, over all processes"),
    ("accumulate", int, "parts of a step that each process makes one after the other"),
    ("width", int, "of the views, px, a multiple of 32"),
    ("height", int, "of the views, px, a multiple of 32"),
    ("learning_rate", float, "peak of the schedule"),
    ("amp", str, "off, bfloat16 or float16"),
    ("seed", int, "of pairs, weights and sampling"),
    ("threads", int, "CPU threads; 1 when anything else runs on the machine"),
    ("workers", int, "processes that read images; 0: read between the steps"),
    ("device", str, "auto, cpu or cuda"),
    ("validate_every", int, "steps between validations"),
    ("checkpoint_every", int, "steps between checkpoints"),
    (
        "initialise",
        Path,
        "start with the weights of a checkpoint, a model's folder or fast",
    ),
)


def add_parser(subparsers: Any) -> argparse.ArgumentParser:
    """Add the command."""
    parser = subparsers.add_parser(
        "train",
        help="train the network on folders of photographs",
        description="Train the network on random views of photographs. Settings are those of "
        "--config, or of the run folder with --resume, changed by the options given here. Writes "
        "last.pt, figures, pictures of matches and report.html into the run folder, and with "
        "--max-minutes the exported model. SIGINT and SIGTERM end it after the step at hand, with "
        "last.pt saved, and status 130 or 143. Several GPUs: "
        "torchrun --nproc_per_node=N -m coarse_loftr_ros train ...",
    )
    parser.add_argument(
        "images", type=Path, nargs="*", help="folders of photographs, searched recursively"
    )
    parser.add_argument("output", type=Path, metavar="run", help="run folder")
    parser.add_argument("--config", type=Path, help="settings, as lab/config/fast.yaml")
    parser.add_argument(
        "--resume", action="store_true", help="continue from the run folder's last.pt"
    )
    for name, kind, text in _OPTIONS:
        parser.add_argument(
            "--" + name.replace("_", "-"),
            type=kind,
            metavar={int: "N", float: "X", str: "NAME", Path: "FILE"}[kind],
            help=text,
        )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="any setting of the YAML files, such as network.token_channels=64 or "
        "network.stage_channels=[24,32,64,96]; may be repeated",
    )
    return parser


def run(args: argparse.Namespace) -> int:
    """Train."""
    require_torch("yaml")
    from coarse_loftr_lab.training.distributed import joined
    from coarse_loftr_lab.training.run_folder import RunFolder
    from coarse_loftr_lab.training.settings import make_settings
    from coarse_loftr_lab.training.trainer import Trainer

    # What a user gave is checked before the first step: what fails later is a defect and keeps
    # its traceback.
    wrong = (ValueError, FileNotFoundError, FileExistsError, ModuleNotFoundError)
    with ExitStack() as stack:
        with as_user_error(*wrong):
            RunFolder(args.output).check(resume=args.resume)
            settings = make_settings(_values(args), args.output)
            processes = stack.enter_context(joined(settings.device))
            trainer = Trainer(settings, processes, resume=args.resume)
        with as_user_error(FloatingPointError):
            trainer.run()
    if trainer.stopped_by:
        return 128 + trainer.stopped_by
    if settings.max_minutes and trainer.processes.first:
        return _export_run(trainer.folder)
    return 0


def _export_run(folder: RunFolder) -> int:
    """Export the weights of a run into the folder ``model`` within it; the command's exit code."""
    from coarse_loftr_lab.commands import export

    name = folder.path.resolve().name
    return export.run(arguments_of(export, folder.checkpoint, folder.model, "--name", name))


def require_torch(*others: str) -> None:
    """Refuse to go on without PyTorch and what else training needs.

    Raises:
        UserError: saying how to install it.
    """
    from importlib.util import find_spec

    missing = [name for name in ("torch", "onnx", *others) if find_spec(name) is None]
    if missing:
        raise UserError(
            f"not installed: {', '.join(missing)}; pip install 'coarse_loftr_lab[train]' brings it"
        )


def _values(args: argparse.Namespace) -> dict[str, Any]:
    """The plain settings: a file's, changed by the options.

    Raises:
        ValueError: for what is no setting.
        FileNotFoundError: when the file is not there.
    """
    import yaml

    from coarse_loftr_lab.training.plain_values import set_value
    from coarse_loftr_lab.training.run_folder import RunFolder
    from coarse_loftr_lab.training.settings import read_yaml

    values: dict[str, Any] = {}
    if args.config is not None:
        values = read_yaml(args.config)
    elif args.resume:
        values = read_yaml(RunFolder(args.output).settings)
    if args.images:
        values["images"] = [str(folder) for folder in args.images]
    for name, *_ in _OPTIONS:
        if getattr(args, name) is not None:
            values[name] = getattr(args, name)
    for assignment in args.set:
        name, equals, text = assignment.partition("=")
        if not equals:
            raise ValueError(f"--set {assignment}: it must be NAME=VALUE")
        set_value(values, name, yaml.safe_load(text))
    return values
