"""What a kind of ``coarse-loftr evaluate`` is, and the arguments that several have."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coarse_loftr_lab.commands.evaluation_methods import compared_methods

if TYPE_CHECKING:
    from coarse_loftr_ros.features.pair_matcher import PairMatcher

__all__ = ["Evaluation", "Measure", "add_directory", "add_pairs", "kept_images"]

Measure = Callable[["Sequence[PairMatcher]", Any], Any]
"""Gives the report of methods; the other argument is the progress bar."""


@dataclass(frozen=True)
class Evaluation:
    """One kind of evaluation.

    Attributes:
        summary: for the list of kinds.
        description: for its own help.
        add_arguments: adds what it needs besides the options that all have.
        prepare: opens the data that the arguments name, and gives what measures methods on it.
        methods: gives the methods from the arguments.
        by_pairs: whether each pair of images is matched by itself, so that matches can be kept
            for the next run.
    """

    summary: str
    description: str
    add_arguments: Callable[[argparse.ArgumentParser], None]
    prepare: Callable[[argparse.Namespace], Measure]
    methods: Callable[[argparse.Namespace], Sequence[PairMatcher]] = compared_methods
    by_pairs: bool = True


def add_directory(parser: argparse.ArgumentParser) -> None:
    """Add the folder of the data."""
    parser.add_argument("directory", type=Path, metavar="DIR")


def add_pairs(parser: argparse.ArgumentParser, count: int, seed: int = 0) -> None:
    """Add how many pairs are made of photographs, by which seed, of which photographs."""
    parser.add_argument(
        "--pairs", type=int, default=count, help="number of pairs (default: %(default)s)"
    )
    parser.add_argument("--seed", type=int, default=seed, help="default: %(default)s")
    parser.add_argument(
        "--all-images",
        action="store_true",
        help="use every photograph, not only those that training leaves out by their names",
    )


def kept_images(args: argparse.Namespace) -> dict[str, Any]:
    """The argument of pairs that says which photographs are used; none for the usual ones."""
    return {"keep": lambda path: True} if args.all_images else {}
