"""``coarse-loftr train``: train the project's network on a folder of photographs."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from coarse_loftr_ros.tools.errors import UserError, as_user_error

__all__ = ["add_parser", "run"]

# The fields of TrainingSettings, repeated because importing them imports PyTorch; a test keeps
# the two equal.
_OPTIONS: tuple[tuple[str, type, object, str], ...] = (
    ("steps", int, 12000, "optimiser steps of the whole run; may change when it is resumed"),
    ("batch", int, 8, "pairs per step"),
    ("width", int, 320, "of the views, px, a multiple of 32"),
    ("height", int, 256, "of the views, px, a multiple of 32"),
    ("learning_rate", float, 1.5e-3, "peak of the schedule"),
    ("weight_decay", float, 1e-4, "of AdamW"),
    ("warmup", int, 300, "steps of linear rise at the start"),
    ("decay_share", float, 0.4, "share of the steps over which the rate falls to zero"),
    ("ramp", int, 1500, "steps over which the pairs grow to their full difficulty"),
    ("seed", int, 1, "of pairs, weights and sampling"),
    ("threads", int, 1, "CPU threads; 1 when anything else runs on the machine"),
    ("workers", int, 0, "processes that make pairs; 0: made between the steps"),
    ("device", str, "cpu", "cpu or cuda"),
    ("validate_every", int, 500, "steps between validations"),
    ("checkpoint_every", int, 250, "steps between checkpoints"),
    ("validation_pairs", int, 64, "fixed pairs of held-out photographs"),
)


def add_parser(subparsers: Any) -> argparse.ArgumentParser:
    """Add the command."""
    parser = subparsers.add_parser(
        "train",
        help="train the network on a folder of photographs",
        description="Train the network on random views of photographs. Writes last.pt, "
        "settings.json and figures.jsonl into the run folder.",
    )
    parser.add_argument("images", type=Path, help="folder of photographs, searched recursively")
    parser.add_argument("output", type=Path, help="run folder")
    parser.add_argument(
        "--resume", action="store_true", help="continue from the run folder's last.pt"
    )
    for name, kind, default, text in _OPTIONS:
        parser.add_argument(
            "--" + name.replace("_", "-"),
            type=kind,
            default=default,
            metavar={int: "N", float: "X", str: "NAME"}[kind],
            help=f"{text} (default: %(default)s)",
        )
    parser.add_argument(
        "--network",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="shape of the network, such as token_channels=64 or stage_channels=24,32,64,96; "
        "may be repeated",
    )
    return parser


def run(args: argparse.Namespace) -> int:
    """Train."""
    require_torch()
    from coarse_loftr_ros.training.trainer import TrainingSettings, train

    values = {name: getattr(args, name) for name, *_ in _OPTIONS}
    # The settings and the run folder are checked before the first step: what fails later is a
    # defect, and keeps its traceback.
    with as_user_error(ValueError, FileNotFoundError, FileExistsError):
        settings = TrainingSettings(
            args.images, args.output, network=_network(args.network), **values
        )
        if not args.resume and settings.checkpoint.exists():
            raise FileExistsError(f"{settings.checkpoint} exists: give --resume or another folder")
        if args.resume and not settings.checkpoint.exists():
            raise FileNotFoundError(f"nothing to resume: {settings.checkpoint} does not exist")
    figures = train(settings, resume=args.resume)
    print(", ".join(f"{name} {value:g}" for name, value in figures.items()))
    return 0


def require_torch() -> None:
    """Refuse to go on without PyTorch.

    Raises:
        UserError: saying how to install it.
    """
    from importlib.util import find_spec

    missing = [name for name in ("torch", "onnx") if find_spec(name) is None]
    if missing:
        raise UserError(
            f"{' and '.join(missing)} is not installed: pip install 'coarse_loftr_ros[train]'"
        )


def _network(assignments: list[str]) -> Any:
    from dataclasses import asdict

    from coarse_loftr_ros.network.matcher_net import MatcherConfig

    values = asdict(MatcherConfig())
    for assignment in assignments:
        name, _, text = assignment.partition("=")
        if name not in values:
            raise UserError(f"--network {assignment}: names are {', '.join(values)}")
        with as_user_error(ValueError):
            numbers = [int(part) for part in text.split(",")]
        expected = len(values[name]) if isinstance(values[name], tuple) else 1
        if len(numbers) != expected:
            raise UserError(f"--network {assignment}: {name} takes {expected} numbers")
        values[name] = tuple(numbers) if isinstance(values[name], tuple) else numbers[0]
    return MatcherConfig(**values)
