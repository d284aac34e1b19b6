"""``coarse-loftr export``: a checkpoint becomes a model folder, checked against PyTorch."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coarse_loftr_lab.commands.train import require_torch
from coarse_loftr_ros.commands.common.errors import UserError, as_user_error
from coarse_loftr_ros.commands.common.options import size
from coarse_loftr_ros.files.whole_files import whole_files

if TYPE_CHECKING:
    from coarse_loftr_lab.network.matcher_net import MatcherNet

__all__ = ["add_parser", "run"]

_CHECKED_SIZES = ((640, 480), (320, 256), (640, 192), (96, 160))
_TOLERANCE = 1e-3


def add_parser(subparsers: Any) -> argparse.ArgumentParser:
    """Add the command."""
    parser = subparsers.add_parser(
        "export",
        help="export a checkpoint to ONNX and check it",
        description="Write encode.onnx, match.onnx and model.json into a folder, then run them in "
        "ONNX Runtime and PyTorch on the same images and print the largest difference. "
        f"The exit code is 1 when it is above {_TOLERANCE:g}.",
    )
    parser.add_argument("checkpoint", type=Path, help="last.pt of a run folder")
    parser.add_argument("folder", type=Path, help="model folder to write")
    parser.add_argument("--name", help="of the model (default: the folder's name)")
    parser.add_argument(
        "--size",
        type=size,
        metavar="WxH",
        help="network size to fix in the graphs (default: any multiple of 32)",
    )
    parser.add_argument(
        "--network-pixels",
        type=int,
        default=512 * 384,
        metavar="PX",
        help="of the image that the network shall see by default (default: %(default)s, 512x384)",
    )
    return parser


def run(args: argparse.Namespace) -> int:
    """Export and check."""
    require_torch()
    import pickle

    from coarse_loftr_lab.network.checkpoint import load_network
    from coarse_loftr_lab.network.export import export_model

    if not args.checkpoint.is_file():
        raise UserError(f"{args.checkpoint} does not exist or is not a file")
    try:
        net = load_network(args.checkpoint)
    except (KeyError, EOFError, pickle.UnpicklingError) as error:
        # Not in torch's words, which advise to run what is in the file.
        raise UserError(
            f"{args.checkpoint} is no checkpoint of this project, such as the last.pt of a run"
        ) from error
    except (ValueError, RuntimeError) as error:
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise UserError(f"{args.checkpoint} is no checkpoint of this project: {reason}") from error
    name = args.name or args.folder.resolve().name
    worst = 0.0
    with as_user_error(ValueError, OSError), whole_files(args.folder) as new:
        export_model(net, new, name, args.size, args.network_pixels)
        for checked in [args.size] if args.size else _CHECKED_SIZES:
            difference = _largest_difference(net, new, checked)
            worst = max(worst, difference)
            print(f"{checked[0]}x{checked[1]}: largest difference from PyTorch {difference:.2g}")
    print(f"written: {args.folder}")
    if worst > _TOLERANCE:
        print(f"the exported graphs differ by {worst:.2g}, more than {_TOLERANCE:g}")
        return 1
    return 0


def _largest_difference(net: MatcherNet, folder: Path, checked: tuple[int, int]) -> float:
    """Largest absolute difference of any output of both graphs, on two drawn images."""
    import numpy as np
    import torch

    from coarse_loftr_lab.network.matcher_net import dual_softmax
    from coarse_loftr_ros.backends.base import ModelFiles
    from coarse_loftr_ros.backends.decoding import without_border
    from coarse_loftr_ros.backends.onnxruntime_backend import OnnxRuntimeBackend
    from coarse_loftr_ros.images.preprocessing import NetworkSize
    from coarse_loftr_ros.recordings.rendered.scene import draw_landscape

    width, height = checked
    backend = OnnxRuntimeBackend(ModelFiles.load(folder), NetworkSize(width, height), 1)
    landscape = draw_landscape(width + 40, height + 40)
    images = [landscape[top : top + height, top : top + width] for top in (0, 24)]
    encoded = [backend.encode(image) for image in images]
    matched = backend.compare(*encoded)
    with torch.no_grad():
        wanted = [net.encode(torch.from_numpy(image)[None, None] / 255) for image in images]
        answer = net.match(wanted[0][0], wanted[1][0])
    pairs = [
        *((ours.tokens, theirs[0]) for ours, theirs in zip(encoded, wanted, strict=True)),
        # The backend keeps fine features with the channels last.
        *(
            (without_border(ours.fine), theirs[1][0].permute(1, 2, 0))
            for ours, theirs in zip(encoded, wanted, strict=True)
        ),
        (matched.confidence(), dual_softmax(*answer[:3])[0]),
    ]
    return max(float(np.abs(ours - theirs.numpy()).max()) for ours, theirs in pairs)
