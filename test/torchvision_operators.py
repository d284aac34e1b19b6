"""torchvision where its wheel is made for CUDA and PyTorch for CPUs, as on package indexes."""

from __future__ import annotations

import sys

import pytest


def import_torchvision() -> None:
    """Import torchvision; skips where it is absent.

    Its operators are compiled for one build of PyTorch. Beside another it says that
    ``torchvision::nms`` does not exist: non-maximum suppression is then done here, in PyTorch.
    """
    torch = pytest.importorskip("torch", reason="PyTorch is not installed (make test-train)")
    try:
        pytest.importorskip("torchvision", reason="torchvision is not installed (make test-train)")
        return
    except RuntimeError as error:
        if "torchvision::nms does not exist" not in str(error):
            raise
    for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
        del sys.modules[name]
    for name in ("nms", "qnms"):
        torch.library.define(
            f"torchvision::{name}", "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
        )
    torch.library.impl("torchvision::nms", "CPU", _suppressed)
    from torchvision.ops import boxes

    boxes._assert_has_ops = _operators_are_here


def _operators_are_here() -> None:  # which TorchScript compiles, so it is no lambda
    pass


def _suppressed(boxes, scores, threshold):
    """Numbers of the boxes that overlap no better one by more, best first."""
    from torchvision.ops import box_iou

    left = scores.argsort(descending=True)
    kept = left[:0]
    while len(left):
        best, others = left[:1], left[1:]
        kept = left.new_tensor([*kept, *best])
        left = others[box_iou(boxes[best], boxes[others])[0] <= threshold]
    return kept
