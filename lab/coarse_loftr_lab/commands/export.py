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
    from coarse_loftr_ros.backends.cpu import CpuBackend

__all__ = ["add_ncnn", "add_parser", "require_ncnn", "run"]

_CHECKED_SIZES = ((640, 480), (320, 256), (640, 192), (96, 160))
_TOLERANCE = 1e-3
_TOLERANCE_HALF = 0.01  # of graphs with weights in float16


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
    parser.add_argument(
        "--ncnn",
        action="store_true",
        help="also write and check graphs for ncnn, as 'coarse-loftr ncnn' does",
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
    if args.ncnn:
        require_ncnn()
    with as_user_error(ValueError, OSError), whole_files(args.folder) as new:
        export_model(net, new, name, args.size, args.network_pixels)
        alike = _alike_in_every_size(net, new, "onnxruntime", _TOLERANCE)
        if args.ncnn:
            alike = add_ncnn(net, new) and alike
    print(f"written: {args.folder}")
    return 0 if alike else 1


def require_ncnn() -> None:
    """Refuse to go on without what makes graphs for ncnn and what runs them.

    Raises:
        UserError: saying how to install it.
    """
    from importlib.util import find_spec

    missing = [name for name in ("pnnx", "ncnn") if find_spec(name) is None]
    if missing:
        raise UserError(f"not installed: {' and '.join(missing)}; pip install {' '.join(missing)}")


def add_ncnn(net: MatcherNet, folder: Path, half: bool = False) -> bool:
    """Add graphs for ncnn to an exported model, run them beside PyTorch, and say how they differ.

    Args:
        net: that the model was exported from.
        folder: of the model.
        half: whether weights are float16 in the files.

    Returns:
        Whether they compute the same.

    Raises:
        UserError: when the network cannot be translated, or ncnn does not load it.
    """
    from coarse_loftr_lab.network.ncnn_export import export_ncnn
    from coarse_loftr_ros.backends.base import BackendError

    with as_user_error(ValueError, BackendError):
        export_ncnn(net, folder, half)
        tolerance = _TOLERANCE_HALF if half else _TOLERANCE
        return _alike_in_every_size(net, folder, "ncnn", tolerance)


def _alike_in_every_size(net: MatcherNet, folder: Path, backend: str, tolerance: float) -> bool:
    """Run an exported model beside PyTorch and print the differences.

    Raises:
        BackendError: when the backend does not load the model.
    """
    from coarse_loftr_ros.backends.base import ModelFiles
    from coarse_loftr_ros.backends.registry import create_backend
    from coarse_loftr_ros.images.preprocessing import NetworkSize

    model = ModelFiles.load(folder)
    worst = 0.0
    for checked in [model.size] if model.size else [NetworkSize(*each) for each in _CHECKED_SIZES]:
        difference = _largest_difference(net, create_backend(backend, model, checked, 1, "fp32"))
        worst = max(worst, difference)
        print(f"{backend}, {checked}: largest difference from PyTorch {difference:.2g}")
    if worst > tolerance:
        print(f"the graphs for {backend} differ by {worst:.2g}, more than {tolerance:g}")
    return worst <= tolerance


def _largest_difference(net: MatcherNet, backend: CpuBackend) -> float:
    """Largest absolute difference of any output of both graphs, on two drawn images."""
    import numpy as np
    import torch

    from coarse_loftr_lab.network.matcher_net import dual_softmax
    from coarse_loftr_ros.backends.decoding import without_border
    from coarse_loftr_ros.recordings.rendered.scene import draw_landscape

    width, height = backend.size.width, backend.size.height
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
