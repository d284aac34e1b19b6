"""The methods that a kind of evaluation compares, from the command's arguments."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING

from coarse_loftr_lab.commands.comparison import baseline_weights, distinct_names, each_model
from coarse_loftr_ros.commands.common.mask_options import make_masks
from coarse_loftr_ros.commands.common.options import ROW_TOLERANCE_PX, make_pipeline

if TYPE_CHECKING:
    from coarse_loftr_lab.evaluation.own import OwnMatcher
    from coarse_loftr_ros.features.pair_matcher import PairMatcher

__all__ = [
    "compared_methods",
    "loosest_methods",
    "own_methods",
    "path_methods",
    "unfiltered_methods",
]


def own_methods(args: argparse.Namespace) -> list[OwnMatcher]:
    """The pipeline with each model that is asked for."""
    from coarse_loftr_lab.evaluation.own import OwnMatcher
    from coarse_loftr_ros.matching.reference_policy import Consecutive

    pipelines = [make_pipeline(each, Consecutive(), (640, 480)) for each in each_model(args)]
    names = distinct_names(args, [pipeline.settings.model.name for pipeline in pipelines])
    return [OwnMatcher(pipeline, name) for pipeline, name in zip(pipelines, names, strict=True)]


def compared_methods(args: argparse.Namespace) -> list[PairMatcher]:
    """Ours, also with masks and by inliers alone where asked for, and baselines unless unwanted."""
    from coarse_loftr_lab.evaluation.methods import baselines
    from coarse_loftr_lab.evaluation.own import OwnMatcher

    models = own = own_methods(args)
    if args.mask_detector is not None:
        masks = make_masks(args)
        own = own + [OwnMatcher(each.pipeline, f"{each.name}, masked", masks) for each in models]
    if args.inliers:
        own = own + [
            OwnMatcher(each.pipeline, f"{each.name}, inliers", inliers=True) for each in models
        ]
    return own if args.only_own else [*own, *baselines(baseline_weights(args), args.threads)]


def path_methods(args: argparse.Namespace) -> Sequence[PairMatcher]:
    """Ours, with the row constraint of a rectified stereo camera, and SIFT.

    Where it is asked for, ours also with what moves by itself left out.
    """
    from dataclasses import replace

    from coarse_loftr_ros.features.sift import Sift

    own = []
    for motion_mask in (False, True) if args.motion_mask else (False,):
        for method in own_methods(args):
            method.pipeline.match_settings = replace(
                method.pipeline.match_settings,
                row_tolerance_px=ROW_TOLERANCE_PX,
                motion_mask=motion_mask,
            )
            method.name += ", motion mask" if motion_mask else ""
            own.append(method)
    return own if args.only_own else [*own, Sift()]


def unfiltered_methods(args: argparse.Namespace) -> Sequence[PairMatcher]:
    """Each of our models without a threshold: as published, and the network's own points."""
    from dataclasses import replace

    methods = []
    for refined, stage in ((True, "as published"), (False, "before refinement")):
        for method in own_methods(args):
            match = method.pipeline.match_settings
            method.pipeline.match_settings = replace(
                match,
                confidence_threshold=0.0,
                refinement=replace(match.refinement, enabled=refined),
            )
            method.name = f"{method.name}, {stage}"
            methods.append(method)
    return methods


def loosest_methods(args: argparse.Namespace) -> Sequence[PairMatcher]:
    """The baselines with nothing left out."""
    from coarse_loftr_lab.evaluation.methods import loosest_baselines

    return loosest_baselines(baseline_weights(args), args.threads)
