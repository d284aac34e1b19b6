"""``coarse-loftr prune``: a smaller network from a trained one, by leaving whole channels out."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from coarse_loftr_lab.commands.steps import arguments_of
from coarse_loftr_lab.commands.train import require_torch
from coarse_loftr_ros.commands.common.errors import UserError, as_user_error

__all__ = ["add_parser", "add_pruning_options", "require_pruning", "run"]


def add_parser(subparsers: Any) -> argparse.ArgumentParser:
    """Add the command."""
    parser = subparsers.add_parser(
        "prune",
        help="leave the least important channels of a trained network out",
        description="Remove whole channels, with everything in other layers that belongs to them, "
        "and print what went. The folder then holds last.pt, model/ (exported and checked), "
        "pruning.json, and retrain.yaml: 'coarse-loftr train --config DIR/retrain.yaml IMAGES RUN' "
        "trains the pruned network on, with the one that it was made from as a teacher.",
    )
    parser.add_argument(
        "source",
        type=Path,
        metavar="model",
        help="last.pt, the folder of a run or of a model, or a model of the package (fast)",
    )
    parser.add_argument("folder", type=Path, help="folder to write")
    amount = parser.add_mutually_exclusive_group(required=True)
    amount.add_argument(
        "--threshold",
        type=float,
        metavar="T",
        help="remove channels whose importance is below this share of the mean of their kind, such "
        "as 0.9",
    )
    amount.add_argument(
        "--macs",
        type=float,
        metavar="SHARE",
        help="keep the most important channels that need at most this share of the "
        "multiplications of a frame, such as 0.5",
    )
    add_pruning_options(parser)
    parser.add_argument("--name", help="of the model (default: the folder's name)")
    return parser


def add_pruning_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that 'slim' has as well."""
    parser.add_argument(
        "--criterion",
        default="l1",
        choices=("l1", "bn", "taylor"),
        help="importance of a channel: sum of its weights' magnitudes, scale of its batch norms "
        "(after training with l1), or what the loss would lose, to first order (needs "
        "--calibration) (default: %(default)s)",
    )
    parser.add_argument(
        "--calibration",
        type=Path,
        metavar="IMAGES",
        help="photographs of which pairs are made, for the gradients of taylor and for the "
        "statistics of batch norms before and after",
    )
    parser.add_argument(
        "--calibration-pairs",
        type=int,
        default=128,
        metavar="N",
        help="how many (default: %(default)s)",
    )
    parser.add_argument(
        "--multiple",
        type=int,
        default=8,
        metavar="N",
        help="channels of a layer are a multiple of this, as processors like them; 1: any number "
        "(default: %(default)s)",
    )
    parser.add_argument(
        "--keep",
        nargs="+",
        default=(),
        metavar="LAYER",
        help="layers, as the report names them, whose channels all stay, such as fine lateral4",
    )
    parser.add_argument(
        "--network-pixels",
        type=int,
        metavar="PX",
        help="of the image that the network sees, for counting and as the pruned model's default "
        "(default: the model's own; of a checkpoint 196608, 512x384)",
    )


def require_pruning() -> None:
    """Refuse to go on without PyTorch and torch-pruning.

    Raises:
        UserError: saying how to install it.
    """
    from importlib.util import find_spec

    require_torch("yaml")
    if find_spec("torch_pruning") is None:
        raise UserError(
            "not installed: torch-pruning; pip install 'coarse_loftr_lab[prune]' brings it"
        )


def run(args: argparse.Namespace) -> int:
    """Prune, report, export."""
    require_pruning()
    from coarse_loftr_lab.pruning.calibration import CalibrationPairs
    from coarse_loftr_lab.pruning.pruned_run import Amount, PrunedRun, prune
    from coarse_loftr_lab.pruning.source import open_source

    folder = PrunedRun(args.folder)
    with as_user_error(ValueError, OSError):
        amount = Amount(args.threshold, args.macs)
        source = open_source(args.source, args.network_pixels)
        if folder.checkpoint.exists():
            raise FileExistsError(f"{folder.checkpoint} exists: give another folder")
        calibration = None
        if args.calibration is not None:
            calibration = CalibrationPairs(args.calibration, args.calibration_pairs)
        table = prune(source, folder, amount, args.criterion, args.multiple, calibration, args.keep)
    print(table)
    return export_pruned(folder, args.name or args.folder.resolve().name)


def export_pruned(folder: Any, name: str) -> int:
    """Export into the folder ``model`` within it; the exit code."""
    from coarse_loftr_lab.commands import export

    pixels = folder.facts()["network_pixels"]
    words = (folder.checkpoint, folder.model, "--name", name, "--network-pixels", pixels)
    return export.run(arguments_of(export, *words))
