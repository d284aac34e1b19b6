"""Checkpoints of the project's own network: weights with the configuration that they need."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from coarse_loftr_lab.network.matcher_net import MatcherConfig, MatcherNet
from coarse_loftr_ros.files.whole_files import whole_file

__all__ = ["Checkpoint", "load_checkpoint", "load_network", "save_checkpoint"]

_FORMAT = 1


@dataclass(frozen=True)
class Checkpoint:
    """What a checkpoint file holds.

    Attributes:
        config: shape of the network.
        weights: its state dict, for use.
        step: optimiser steps made.
        training: what a run needs to go on, absent from files that are only for use.
    """

    config: MatcherConfig
    weights: dict[str, Any]
    step: int
    training: dict[str, Any] | None


def save_checkpoint(
    path: Path, net: MatcherNet, step: int, training: dict[str, Any] | None = None
) -> None:
    """Write a checkpoint in one move: a reader sees the old file or the new one, never half."""
    content = {
        "format": _FORMAT,
        "config": net.config.to_dict(),
        "weights": net.state_dict(),
        "step": step,
        "training": training,
    }
    with whole_file(path) as new:
        torch.save(content, new)


def load_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint without running any code that it may contain.

    Raises:
        FileNotFoundError: when there is no such file.
        ValueError: when it is not a checkpoint of this project or of another format.
    """
    content = torch.load(path, map_location="cpu", weights_only=True)
    if not isinstance(content, dict) or content.get("format") != _FORMAT:
        raise ValueError(f"{path} is not a checkpoint of format {_FORMAT}")
    return Checkpoint(
        MatcherConfig.from_dict(content["config"]),
        content["weights"],
        content["step"],
        content.get("training"),
    )


def load_network(path: Path) -> MatcherNet:
    """The network of a checkpoint, ready for inference."""
    checkpoint = load_checkpoint(path)
    net = MatcherNet(checkpoint.config)
    net.load_state_dict(checkpoint.weights)
    return net.eval()
