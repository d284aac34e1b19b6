"""ONNX export of the project's network as two graphs: encode one image, match two feature sets."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import torch
from torch import Tensor, nn

from coarse_loftr_lab.network.first_convolution import reading_columns
from coarse_loftr_lab.network.matcher_net import (
    COARSE_STRIDE,
    FINE_STRIDE,
    SIZE_MULTIPLE,
    MatcherNet,
)

__all__ = ["EncodeGraph", "MatchGraph", "export_model"]

_OPSET = 17
_MATCH_VECTORS = ("reference_sum", "current_sum", "reference_max", "current_max")


class EncodeGraph(nn.Module):
    """The first graph of ``export_model``, as a module."""

    def __init__(self, net: MatcherNet) -> None:
        super().__init__()
        self.net = net

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Tokens and fine features."""
        tokens, fine = self.net.encode(image)
        # Channels last, so that the runtime's readers of windows find each pixel in one place.
        return tokens, fine.permute(0, 2, 3, 1)


class MatchGraph(nn.Module):
    """The second graph of ``export_model``, as a module."""

    def __init__(self, net: MatcherNet) -> None:
        super().__init__()
        self.net = net

    def forward(self, reference: Tensor, current: Tensor) -> tuple[Tensor, ...]:
        """Weights, and their sums and maxima."""
        return self.net.match(reference, current)


def export_model(
    net: MatcherNet,
    folder: Path,
    name: str,
    size: tuple[int, int] | None = None,
    network_pixels: int = 512 * 384,
) -> None:
    """Write ``encode.onnx``, ``match.onnx`` and ``model.json`` into ``folder``.

    Graph contract (batch is always 1, all float32):
        encode: ``image`` [1, 1, H, W] in [0, 1] -> ``tokens`` [1, H/16 * W/16, C],
        ``fine`` [1, H/4, W/4, F].
        match: ``reference_tokens``, ``current_tokens`` [1, L, C] -> ``weight`` [1, L, L],
        ``reference_sum``, ``current_sum``, ``reference_max`` and ``current_max`` [1, L]: sums and
        maxima of its rows and columns (see ``MatcherNet.match``).

    Args:
        net: trained network.
        folder: made when it does not exist; files of the same names are replaced.
        name: of the model, for logs and messages.
        size: (width, height) to fix in the graphs, multiples of 32. ``None`` leaves the named
            dimensions ``height``, ``width`` and ``cells`` open; the runtime then fixes them when
            it loads the graphs, so they are static in either case.
        network_pixels: of the image that the network sees, where the user does not say otherwise.

    Raises:
        ValueError: when ``size`` is not made of multiples of 32.
    """
    if size is not None and any(side < SIZE_MULTIPLE or side % SIZE_MULTIPLE for side in size):
        raise ValueError(f"size is {size[0]}x{size[1]}; both must be multiples of {SIZE_MULTIPLE}")
    net = net.eval()
    folder.mkdir(parents=True, exist_ok=True)
    width, height = size or (640, 480)
    image = torch.rand(1, 1, height, width)
    with torch.no_grad():
        tokens, _ = net.encode(image)
    encode_axes = {
        "image": {2: "height", 3: "width"},
        "tokens": {1: "cells"},
        "fine": {1: "fine_height", 2: "fine_width"},
    }
    match_axes = {
        "reference_tokens": {1: "cells"},
        "current_tokens": {1: "cells"},
        "weight": {1: "cells", 2: "cells"},
        **{name: {1: "cells"} for name in _MATCH_VECTORS},
    }
    # In evaluation mode themselves, or the exporter would put the network back into training.
    torch.onnx.export(
        EncodeGraph(reading_columns(net)).eval(),
        (image,),
        folder / "encode.onnx",
        input_names=["image"],
        output_names=["tokens", "fine"],
        dynamic_axes=None if size else encode_axes,
        opset_version=_OPSET,
        dynamo=False,
    )
    torch.onnx.export(
        MatchGraph(net).eval(),
        (tokens, tokens.clone()),
        folder / "match.onnx",
        input_names=["reference_tokens", "current_tokens"],
        output_names=["weight", *_MATCH_VECTORS],
        dynamic_axes=None if size else match_axes,
        opset_version=_OPSET,
        dynamo=False,
    )
    facts = {
        "format": 1,
        "name": name,
        "size": list(size) if size else None,
        "size_multiple": SIZE_MULTIPLE,
        "network_pixels": network_pixels,
        "coarse_stride": COARSE_STRIDE,
        "fine_stride": FINE_STRIDE,
        "fine_scale": round(float(net.fine_scale().detach()), 6),
        "network": net.config.to_dict(),
        "sha256": {
            file: hashlib.sha256((folder / file).read_bytes()).hexdigest()
            for file in ("encode.onnx", "match.onnx")
        },
    }
    (folder / "model.json").write_text(json.dumps(facts, indent=2) + "\n")
