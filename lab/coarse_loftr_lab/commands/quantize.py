"""``coarse-loftr quantize``: add an int8 encoder to a model, and measure what that changes."""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coarse_loftr_lab.commands import evaluate
from coarse_loftr_lab.commands.comparison import progress_bar
from coarse_loftr_lab.commands.steps import arguments_of
from coarse_loftr_ros.commands.common.errors import UserError, as_user_error
from coarse_loftr_ros.files.whole_files import whole_files

if TYPE_CHECKING:
    from coarse_loftr_ros.backends.base import ModelFiles

__all__ = ["add_parser", "run"]


def add_parser(subparsers: Any) -> argparse.ArgumentParser:
    """Add the command."""
    parser = subparsers.add_parser(
        "quantize",
        help="add an int8 encoder to a model, and measure accuracy and time before and after",
        description="Write encode.int8.onnx, in which convolutions and products with trained "
        "matrices are int8, into the model's folder or into another. The ranges of activations "
        "come from photographs below the folder of --images, without those that their names' hash "
        "keeps out of training; on these accuracy is then measured, as 'evaluate precision' does.",
    )
    parser.add_argument(
        "model",
        metavar="NAME|DIR",
        help="a model of the package (fast) or a folder that 'coarse-loftr export' wrote",
    )
    parser.add_argument(
        "--images",
        type=Path,
        required=True,
        metavar="DIR",
        help="photographs of the kind that the model will see",
    )
    parser.add_argument(
        "--samples",
        type=int,
        default=200,
        metavar="N",
        help="most photographs to take ranges from (default: %(default)s)",
    )
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        metavar="DIR",
        help="model folder to write (default: the model's own; needed for one of the package)",
    )
    group = parser.add_argument_group("report")
    group.add_argument(
        "--test",
        type=Path,
        metavar="DIR",
        help="measure on all photographs below this folder instead",
    )
    group.add_argument(
        "--homography",
        type=Path,
        metavar="DIR",
        help="also measure on real pairs with known homographies (HPatches layout)",
    )
    group.add_argument(
        "--pairs",
        type=int,
        default=80,
        help="pairs to measure on; 0 leaves the report out (default: %(default)s)",
    )
    group.add_argument(
        "--threads", type=int, default=0, help="CPU threads of the runtime; 0: it chooses"
    )
    group.add_argument("--json", type=Path, metavar="FILE", help="also write every figure")
    return parser


def run(args: argparse.Namespace) -> int:
    """Quantise, write, measure."""
    from coarse_loftr_lab.commands.evaluations import EVALUATIONS
    from coarse_loftr_lab.evaluation.data.samples import SampleImages
    from coarse_loftr_lab.quantisation.int8 import to_int8
    from coarse_loftr_ros.backends.base import SHIPPED_MODELS, BackendError, ModelFiles

    if args.output is None and args.model in SHIPPED_MODELS:
        raise UserError(f"'{args.model}' is a model of the package; name a folder with --output")
    with as_user_error(BackendError):
        model = ModelFiles.load(args.model)
    with as_user_error(OSError, ValueError):
        images = SampleImages(args.images, args.samples, model)
        if args.pairs:  # what cannot be measured is said before the work
            EVALUATIONS["precision"].prepare(_measuring(args, args.model))
    progress = progress_bar("quantize")
    try:
        with as_user_error(OSError, ValueError):
            graph = to_int8(model.encode.read_bytes(), images, progress)
    except ImportError as error:
        raise UserError(
            f"quantising needs {error.name} ({error}); pip install onnx 'onnxruntime>=1.20'"
        ) from error
    folder = args.output or model.encode.parent
    with as_user_error(OSError), whole_files(folder) as new:
        _write(
            new, model, graph, len(images), copied=folder.resolve() != model.encode.parent.resolve()
        )
    share = len(graph) / model.encode.stat().st_size
    photographs = "1 photograph" if len(images) == 1 else f"{len(images)} photographs"
    print(f"written: {folder}, {photographs}, encoder {100 * share:.0f} % of its size")
    return evaluate.run(_measuring(args, folder)) if args.pairs else 0


def _write(new: Path, model: ModelFiles, graph: bytes, samples: int, copied: bool) -> None:
    """Write what the graph adds to a model, and the model's own graphs where it is copied."""
    import hashlib
    import json

    from coarse_loftr_lab.quantisation.int8 import PERCENTILE
    from coarse_loftr_ros.backends.base import INT8_GRAPH

    if copied:
        for file in model.graphs():
            shutil.copyfile(file, new / file.name)
    facts = json.loads((model.encode.parent / "model.json").read_text())
    facts["sha256"][INT8_GRAPH] = hashlib.sha256(graph).hexdigest()
    facts["int8"] = {"samples": samples, "percentile": PERCENTILE}
    (new / INT8_GRAPH).write_bytes(graph)
    (new / "model.json").write_text(json.dumps(facts, indent=2) + "\n")


def _measuring(args: argparse.Namespace, model: Path | str) -> argparse.Namespace:
    """The options of 'evaluate precision' for a model."""
    words = ["precision", args.test or args.images, "--model", model]
    words += ["--pairs", args.pairs, "--mixed-pairs", args.pairs, "--threads", args.threads]
    words += ["--no-cache"]
    if args.test:
        words += ["--all-images"]
    for name in ("homography", "json"):
        if getattr(args, name):
            words += [f"--{name}", getattr(args, name)]
    return arguments_of(evaluate, *words)
