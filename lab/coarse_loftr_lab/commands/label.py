"""``coarse-loftr label``: correspondences of unlabelled sequences, for training."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coarse_loftr_lab.commands.comparison import progress_bar
from coarse_loftr_ros.commands.common.errors import UserError, as_user_error
from coarse_loftr_ros.commands.common.options import size

if TYPE_CHECKING:
    from coarse_loftr_lab.labelling.label_run import LabelRun
    from coarse_loftr_lab.labelling.summary import LabelSummary
    from coarse_loftr_ros.features.pair_matcher import PairMatcher

__all__ = ["add_parser", "run"]

# Those of labelling/transforms.py, which cannot be imported here because it imports OpenCV.
_TRANSFORMS = "flip,turn90,turn180,turn270,zoom0.75,zoom1.4"


def add_parser(subparsers: Any) -> argparse.ArgumentParser:
    """Add the command."""
    parser = subparsers.add_parser(
        "label",
        help="label unlabelled sequences with what a teacher finds in every view of them",
        description="Match the images of sequences with the ones some images later, several times: "
        "as they are, mirrored, turned and zoomed. Points on which the views agree are aligned on "
        "the images and written into LABELS, which 'coarse-loftr train' reads as sequences of the "
        "layout labelled. Nothing is written before all is done.",
    )
    parser.add_argument(
        "images",
        type=Path,
        nargs="+",
        metavar="IMAGES",
        help="folders of images in the order of their names; each folder below is a sequence of "
        "its own",
    )
    parser.add_argument(
        "-o", "--output", type=Path, required=True, metavar="LABELS", help="folder to write"
    )
    parser.add_argument(
        "--teacher",
        default="fast",
        metavar="NAME|DIR|FILE",
        help="a model of the package (fast) or a folder that 'coarse-loftr export' wrote; with "
        "PyTorch also what distillation takes: a checkpoint, LoFTR's weights (through kornia, a "
        "far larger network), an ONNX pair graph (default: %(default)s, which learns from what "
        "several views agree on)",
    )
    parser.add_argument(
        "--gaps",
        default="1,2,4,8",
        metavar="N,N",
        help="distances of the images of a pair (default: %(default)s)",
    )
    parser.add_argument(
        "--step",
        type=int,
        default=1,
        metavar="N",
        help="every N-th image is a reference (default: %(default)s)",
    )
    parser.add_argument(
        "--transforms",
        default=_TRANSFORMS,
        metavar="NAME,NAME",
        help="views beside the images as they are: flip, turn90, turn180, turn270, zoom and a "
        "factor from 0.5 to 2 (default: %(default)s)",
    )
    parser.add_argument(
        "--agreement",
        type=float,
        default=0.6,
        metavar="SHARE",
        help="share of the views showing a point that have to agree (default: %(default)s)",
    )
    parser.add_argument(
        "--tolerance-px",
        type=float,
        default=1.5,
        metavar="PX",
        help="what views that agree may differ by, px of an image 640 px wide "
        "(default: %(default)s)",
    )
    parser.add_argument(
        "--least-labels",
        type=int,
        default=30,
        metavar="N",
        help="pairs with fewer are left out (default: %(default)s)",
    )
    group = parser.add_argument_group("teacher")
    group.add_argument(
        "--threshold",
        type=float,
        default=0.2,
        help="least confidence of a match in one view (default: %(default)s)",
    )
    group.add_argument(
        "--network-pixels",
        type=int,
        default=0,
        metavar="PX",
        help="of a model: pixels of the image that it sees (default: 0, what it was made for)",
    )
    group.add_argument(
        "--size",
        type=size,
        default=(640, 480),
        metavar="WxH",
        help="of any other teacher: the image that it sees (default: 640x480)",
    )
    group.add_argument(
        "--backend",
        default="auto",
        help="of a model: auto, tensorrt, cuda, openvino or onnxruntime (default: %(default)s)",
    )
    group.add_argument("--threads", type=int, default=0, help="CPU threads; 0: the runtime chooses")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write every figure")
    return parser


def run(args: argparse.Namespace) -> int:
    """Label, write, report."""
    from coarse_loftr_lab.labelling.agreement import AgreementSettings
    from coarse_loftr_lab.labelling.label_run import LabelRun, LabelSettings
    from coarse_loftr_lab.labelling.sequences import find_sequences
    from coarse_loftr_lab.labelling.transforms import parse_transforms
    from coarse_loftr_ros.images.decoding import ImageError

    with as_user_error(OSError, ValueError, ImageError):
        if args.output.exists() and not args.output.is_dir():
            raise NotADirectoryError(f"--output: {args.output} is a file; it must be a folder")
        settings = LabelSettings(
            gaps=_gaps(args.gaps),
            step=args.step,
            transforms=parse_transforms(args.transforms),
            agreement=AgreementSettings(args.agreement, tolerance_px=args.tolerance_px),
            least_labels=args.least_labels,
        )
        sequences = find_sequences(args.images)
        labelling = LabelRun(sequences, settings)
    teacher = _teacher(args)
    with as_user_error(ImageError, OSError):
        labelled = labelling.run(teacher, progress_bar("label"))
    summary = labelled.summary
    if not labelled.labels.pairs:
        raise UserError(
            f"no pair has {args.least_labels} labels: of {summary.all.pairs} pairs the views agree "
            f"on {100 * summary.all.consistency:.0f} % of the points; nothing is written"
        )
    with as_user_error(OSError):
        labelled.write(args.output)
    _report(args, labelling, teacher, summary)
    return 0


def _teacher(args: argparse.Namespace) -> PairMatcher:
    """The matcher that ``--teacher`` names; only those that are no models need PyTorch."""
    from coarse_loftr_ros.backends.base import SHIPPED_MODELS

    if args.teacher in SHIPPED_MODELS or Path(args.teacher).is_dir():
        return _model(args)
    path = Path(args.teacher)
    if not path.is_file():
        raise UserError(
            f"--teacher is '{args.teacher}'; it must be {' or '.join(SHIPPED_MODELS)}, a folder "
            "that 'coarse-loftr export' wrote, or the file of a checkpoint, of LoFTR's weights or "
            "of an ONNX pair graph"
        )
    from coarse_loftr_lab.commands.train import require_torch

    require_torch()
    from coarse_loftr_lab.training.label_teacher import open_label_teacher

    with as_user_error(OSError, ValueError, ModuleNotFoundError):
        return open_label_teacher(path, args.size, args.threshold, args.threads)


def _model(args: argparse.Namespace) -> PairMatcher:
    """A model of this project; pairs that do not match as they are get no labels."""
    from coarse_loftr_lab.evaluation.own import OwnMatcher
    from coarse_loftr_ros.commands.common.options import make_pipeline
    from coarse_loftr_ros.matching.reference_policy import Consecutive

    options = {
        "model": args.teacher,
        "runtime": "cuda",
        "precision": "fp32",
        "max_matches": 2000,
        "search_views": 0,
        "second_pass": 10.0,
    }
    pipeline = make_pipeline(
        argparse.Namespace(**{**vars(args), **options}), Consecutive(), (640, 480)
    )
    return OwnMatcher(pipeline, pipeline.settings.model.name)


def _gaps(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError as error:
        raise ValueError(
            f"--gaps is '{text}'; it must be whole numbers with commas between them, such as 1,2,4"
        ) from error


def _report(
    args: argparse.Namespace, labelling: LabelRun, teacher: PairMatcher, summary: LabelSummary
) -> None:
    """Print the tables and write the JSON."""
    from coarse_loftr_lab.evaluation.tables import text_table
    from coarse_loftr_ros.commands.common.json_report import environment, write_report
    from coarse_loftr_ros.files.json_text import to_json

    rows = [
        (
            f"{row.gap}" if row.gap else "all",
            f"{row.labelled} of {row.pairs}",
            f"{row.labels}",
            f"{row.labels_per_pair:.0f}",
            f"{100 * row.consistency:.1f}",
            f"{100 * row.yield_share:.1f}",
            "-" if row.spread_px is None else f"{row.spread_px:.2f}",
        )
        for row in summary.gaps
    ]
    header = ("gap", "pairs", "labels", "per pair", "consistency %", "yield %", "spread px")
    print(text_table(header, rows))
    views = [(v.transform, f"{v.shown}", f"{100 * v.agrees:.1f}") for v in summary.views]
    print("\n" + text_table(("view", "points shown", "agrees %"), views))
    print(f"\nwritten: {args.output}, by {teacher.name}")
    facts = {"kind": "label", "labels": str(args.output), **environment(args.threads)}
    facts |= {"teacher": {"name": teacher.name, **teacher.settings}}
    facts |= {"settings": labelling.settings.facts()}
    write_report(args.json, {**facts, "report": to_json(summary)})
