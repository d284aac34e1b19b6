"""Writes a detector that train_detector.py trained as ONNX, with its description.

docs/training_a_detector.md says how.
"""

from __future__ import annotations

import argparse
import json
import sys
import warnings
from pathlib import Path

import torch
from torch import nn
from torchvision import models


class BoxesOfOneImage(nn.Module):
    """A detector of torchvision with an image and three tensors in place of lists and names."""

    def __init__(self, detector: nn.Module) -> None:
        super().__init__()
        self.detector = detector

    def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Boxes [N, 4], scores [N] and labels [N] of an image [3, H, W]."""
        (found,) = self.detector([image])
        return found["boxes"], found["scores"], found["labels"]


def export(run: Path, folder: Path, width: int, height: int, least_score: float) -> None:
    """Write ``detector.onnx`` and ``detector.yaml``."""
    if not (run / "detector.pt").is_file():
        sys.exit(f"{run / 'detector.pt'} is not there: {run} must be a folder of train_detector.py")
    saved = torch.load(run / "detector.pt", map_location="cpu", weights_only=True)
    detector = models.get_model(
        saved["model"], weights=None, weights_backbone=None, num_classes=len(saved["classes"])
    )
    detector.load_state_dict(saved["weights"])
    # Two-stage detectors keep it in their second stage.
    getattr(detector, "roi_heads", detector).score_thresh = least_score
    folder.mkdir(parents=True, exist_ok=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the older exporter's, about itself and about constants
        torch.onnx.export(
            BoxesOfOneImage(detector).eval(),
            (torch.rand(3, height, width),),
            str(folder / "detector.onnx"),
            input_names=["image"],
            output_names=["boxes", "scores", "labels"],
            opset_version=17,
            # The newer one stops at the best boxes, whose number depends on the image.
            dynamo=False,
        )
    (folder / "detector.yaml").write_text(
        f"# {saved['model']} of torchvision; its first class is the background.\n"
        "model: detector.onnx\n"
        f"size: [{width}, {height}]\n"
        "mean: [0, 0, 0]\n"
        "scale: [0.00392157, 0.00392157, 0.00392157]\n"
        f"classes: {json.dumps(saved['classes'])}\n"  # a list of JSON is one of YAML
        f"moving: {json.dumps(saved['classes'][1:])}\n"
        "boxes: {boxes: boxes, scores: scores, labels: labels}\n"
    )


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path, help="folder of train_detector.py")
    parser.add_argument("folder", type=Path, help="for detector.onnx and detector.yaml")
    parser.add_argument("--width", type=int, default=320, help="of the network's image")
    parser.add_argument("--height", type=int, default=320)
    parser.add_argument("--least-score", type=float, default=0.1, help="of boxes that come out")
    arguments = parser.parse_args()
    for option in ("width", "height"):
        if vars(arguments)[option] < 1:
            parser.error(f"--{option} is {vars(arguments)[option]}; it must be at least 1")
    export(
        arguments.run,
        arguments.folder,
        arguments.width,
        arguments.height,
        arguments.least_score,
    )


if __name__ == "__main__":
    main()
