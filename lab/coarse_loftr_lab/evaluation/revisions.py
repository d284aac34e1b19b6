"""Two revisions of the package side by side: each checked out, each in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import coarse_loftr_ros
from coarse_loftr_lab.evaluation import revision_driver
from coarse_loftr_lab.evaluation.timing import Subject

__all__ = ["WORKING_TREE", "checked_out", "running"]

WORKING_TREE = Path(coarse_loftr_ros.__file__).parent.parent
"""The folder that holds the package as it is imported here."""

_GRACE_S = 10.0


@contextmanager
def checked_out(revision: str) -> Iterator[Path]:
    """A revision of this repository in a temporary folder, as a git worktree that is removed again.

    Args:
        revision: as git understands it.

    Raises:
        ValueError: when the package is not in a git repository, or that has no such revision.
    """
    try:
        commit = _git(
            "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}"
        )
    except (OSError, subprocess.CalledProcessError) as error:
        raise ValueError(
            f"{WORKING_TREE} is no git repository with a revision '{revision}'"
        ) from error
    with tempfile.TemporaryDirectory(prefix="coarse_loftr_") as folder:
        tree = Path(folder) / commit[:12]
        _git("worktree", "add", "--quiet", "--detach", str(tree), commit)
        try:
            yield tree
        finally:
            _git("worktree", "remove", "--force", str(tree))


def _git(*arguments: str) -> str:
    answer = subprocess.run(
        ["git", "-C", str(WORKING_TREE), *arguments], check=True, capture_output=True, text=True
    )
    return answer.stdout.strip()


@contextmanager
def running(name: str, tree: Path, settings: Mapping[str, Any]) -> Iterator[Subject]:
    """The pipeline of a checkout in its steady state, with this interpreter and its libraries.

    Args:
        name: for tables.
        tree: folder that holds its package.
        settings: ``backend``, ``model``, ``precision``, ``threads`` of its pipeline, and the
            ``size`` (width, height) of the images; all else is that revision's default.

    Raises:
        ValueError: when the revision does not run here; it says why on standard error.
    """
    process = subprocess.Popen(
        # Not as a file: its folder would come before the checkout on the path.
        [sys.executable, "-c", Path(revision_driver.__file__).read_text()],
        cwd=tree,
        env={**os.environ, "PYTHONPATH": str(tree)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )

    def ask(question: bytes) -> bytes:
        try:
            process.stdin.write(question)
            process.stdin.flush()
        except BrokenPipeError:
            pass  # then there is no answer either
        answer = process.stdout.readline()
        if not answer:
            raise ValueError(f"{name} does not run here (see above)")
        return answer

    def step(image: NDArray[np.uint8]) -> dict[str, float]:
        return json.loads(ask(image.tobytes()))

    try:
        ask(json.dumps(dict(settings)).encode() + b"\n")
        yield Subject(name, step)
    finally:
        process.kill()
        process.wait(_GRACE_S)
        process.stdin.close()
        process.stdout.close()
