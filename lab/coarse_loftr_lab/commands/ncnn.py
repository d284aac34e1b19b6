"""``coarse-loftr ncnn``: add graphs for ncnn to a model, checked against PyTorch."""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path
from typing import Any

from coarse_loftr_lab.commands.export import add_ncnn, require_ncnn
from coarse_loftr_lab.commands.train import require_torch
from coarse_loftr_ros.commands.common.errors import UserError, as_user_error
from coarse_loftr_ros.files.whole_files import whole_files

__all__ = ["add_parser", "run"]


def add_parser(subparsers: Any) -> argparse.ArgumentParser:
    """Add the command."""
    parser = subparsers.add_parser(
        "ncnn",
        help="add graphs for ncnn to a model and check them",
        description="Write encode.ncnn.* and match.ncnn.*, for 'backend: ncnn', into the model's "
        "folder or into another: pnnx translates the network that the ONNX graphs were exported "
        "from. ncnn then runs them beside PyTorch on the same images. They take every image size.",
    )
    parser.add_argument(
        "model",
        metavar="NAME|DIR",
        help="a model of the package (fast) or a folder that 'coarse-loftr export' wrote",
    )
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        metavar="DIR",
        help="model folder to write (default: the model's own; needed for one of the package)",
    )
    parser.add_argument(
        "--float16",
        action="store_true",
        help="weights are float16 in the files, which halves them; arithmetic stays float32",
    )
    return parser


def run(args: argparse.Namespace) -> int:
    """Translate and check."""
    require_torch()
    require_ncnn()
    from coarse_loftr_lab.network.restore import restore_network
    from coarse_loftr_ros.backends.base import SHIPPED_MODELS, BackendError, ModelFiles

    if args.output is None and args.model in SHIPPED_MODELS:
        raise UserError(f"'{args.model}' is a model of the package; name a folder with --output")
    with as_user_error(BackendError, ValueError):
        model = ModelFiles.load(args.model)
        net = restore_network(model)
    own = model.encode.parent
    folder = args.output or own
    with as_user_error(OSError), whole_files(folder) as new:
        for file in (*model.graphs(), own / "model.json"):
            shutil.copyfile(file, new / file.name)
        alike = add_ncnn(net, new, args.float16)
    print(f"written: {folder}")
    return 0 if alike else 1
