"""The folder of a run: what it was, how it went, what it made."""

from __future__ import annotations

import json
import math
import platform
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from coarse_loftr_lab.training.settings import TrainingSettings, write_yaml
from coarse_loftr_ros import __version__
from coarse_loftr_ros.files.whole_files import whole_file

__all__ = ["RunFolder"]

_LIBRARIES = ("torch", "numpy", "opencv-python-headless", "onnxruntime", "kornia", "tensorboard")


class RunFolder:
    """Files of a run.

    ``settings.yaml``, ``environment.json`` (revision, versions, machine), ``training.jsonl`` (a
    line of means every ``log_every`` steps), ``figures.jsonl`` (a line per validation),
    ``final.json``, ``last.pt``, ``pictures/``, ``tensorboard/``, ``report.html``, and ``model/``,
    the exported model where one was made.

    Args:
        path: made when it does not exist.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.checkpoint = path / "last.pt"
        self.settings = path / "settings.yaml"
        self.pictures = path / "pictures"
        self.report = path / "report.html"
        self.model = path / "model"

    def check(self, *, resume: bool) -> None:
        """Whether a run may start here.

        Raises:
            FileExistsError: when there is a checkpoint and the run is not to be resumed.
            FileNotFoundError: when it is to be resumed and there is none.
        """
        if resume and not self.checkpoint.exists():
            raise FileNotFoundError(f"nothing to resume: {self.checkpoint} does not exist")
        if not resume and self.checkpoint.exists():
            raise FileExistsError(f"{self.checkpoint} exists: give --resume or another folder")

    def begin(self, settings: TrainingSettings, step: int, processes: int) -> None:
        """Write what the run is, and drop what a stopped one logged after its last checkpoint."""
        self.pictures.mkdir(parents=True, exist_ok=True)
        write_yaml(self.settings, settings)
        self._write("environment.json", {**environment(), "processes": processes})
        for name in ("training.jsonl", "figures.jsonl"):
            kept = [line for line in self.lines(name) if line["step"] <= step]
            text = "".join(json.dumps(line) + "\n" for line in kept)
            with whole_file(self.path / name) as new:
                new.write_text(text)

    def log(self, name: str, figures: dict[str, float]) -> None:
        """Add a line to ``training.jsonl`` or ``figures.jsonl``; what is not finite is null."""
        rounded = {name: float(f"{value:.6g}") for name, value in figures.items()}
        finite = {name: v if math.isfinite(v) else None for name, v in rounded.items()}
        finite["step"] = int(figures["step"])
        with (self.path / name).open("a") as file:
            file.write(json.dumps(finite) + "\n")

    def add_picture(self, picture: NDArray[np.uint8], step: int) -> None:
        """Write a picture of matches."""
        path = self.pictures / f"step_{step:07d}.png"
        if not cv2.imwrite(str(path), picture):
            raise OSError(f"{path} could not be written")

    def finish(self, figures: dict[str, float]) -> None:
        """Write the figures of the last validation."""
        self._write("final.json", figures)

    def lines(self, name: str) -> list[dict[str, Any]]:
        """What was logged so far."""
        path = self.path / name
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def read(self, name: str) -> dict[str, Any]:
        """A JSON file of the folder; empty when it is not there yet."""
        path = self.path / name
        return json.loads(path.read_text()) if path.exists() else {}

    def _write(self, name: str, values: dict[str, Any]) -> None:
        with whole_file(self.path / name) as new:
            new.write_text(json.dumps(values, indent=2) + "\n")


def environment() -> dict[str, Any]:
    """What a run depends on beside its settings."""
    import torch

    cuda = torch.cuda.is_available()
    return {
        "coarse_loftr_ros": __version__,
        "revision": git_revision(Path(__file__).parent),
        "python": sys.version.split()[0],
        "platform": platform.platform(),
        "libraries": {name: found for name in _LIBRARIES if (found := _version(name))},
        "device": torch.cuda.get_device_name() if cuda else platform.processor() or "cpu",
    }


def git_revision(folder: Path) -> str:
    """The commit of a checkout, with ``+changes`` where files differ from it, or ``unknown``."""
    try:
        done = [
            subprocess.run(
                ["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=True
            ).stdout.strip()
            for arguments in (["rev-parse", "HEAD"], ["status", "--porcelain", "-uno"])
        ]
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return done[0] + ("+changes" if done[1] else "")


def _version(library: str) -> str | None:
    try:
        return version(library)
    except PackageNotFoundError:
        return None
