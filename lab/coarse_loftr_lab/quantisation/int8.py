"""int8 where the weights are: an encoder's convolutions and products with trained matrices.

The graph stays one of float32 with QuantizeLinear and DequantizeLinear around these nodes, the form
that OpenVINO, ONNX Runtime and TensorRT each turn into int8 arithmetic. Activations have one scale
per tensor and weights one per channel, all symmetric; biases stay float32, because TensorRT refuses
int32 DequantizeLinear. Everything else stays as exported: statistics of the image, position
encoding, sums of attention, norms, additions.

Weights use 7 of the 8 bits. CPUs without VNNI instructions add two products in 16 bits, which 8-bit
weights overflow; with 7 bits every CPU computes the same.
"""

from __future__ import annotations

import contextlib
import io
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

__all__ = ["PERCENTILE", "to_int8"]

PERCENTILE = 99.98
"""Share of an activation's magnitudes that its scale covers, in per cent; what is larger is
clipped. The best of 99.9 to 99.999 for the tokens (docs/quantisation.md)."""

_OLDEST = (1, 20)
_WITH_WEIGHTS = ("Conv", "MatMul")
# ONNX Runtime's own preparation of a graph folds normalisations and constants, which exported
# graphs have behind them; without this mark it recommends it in a warning.
_PREPARED = {"onnx.quant.pre_process": "onnxruntime.quant"}


def to_int8(
    exported: bytes,
    images: Sequence[NDArray[np.float32]],
    progress: Callable[[int, int], None] | None = None,
) -> bytes:
    """Quantise the graph that encodes one image; its inputs and outputs stay float32.

    Args:
        exported: the float32 graph.
        images: float32 [1, 1, H, W] in [0, 1] of any sizes that the graph takes, from which the
            range of each activation is taken.
        progress: called with the number of images done and of all.

    Raises:
        ImportError: when ``onnx`` or ``onnxruntime`` is missing or too old.
        ValueError: when the bytes are no ONNX graph, or there are no images.
    """
    import onnx
    import onnxruntime
    from google.protobuf.message import DecodeError
    from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static

    if tuple(map(int, onnxruntime.__version__.split(".")[:2])) < _OLDEST:
        # It would ignore the percentile without a word.
        raise ImportError(f"ONNX Runtime {onnxruntime.__version__} is too old", name="onnxruntime")
    if not len(images):
        raise ValueError("there are no images to take the ranges of activations from")
    try:
        model = onnx.load_from_string(exported)
    except DecodeError as error:
        raise ValueError(f"the graph cannot be quantised: {error}") from error
    weights = {tensor.name for tensor in model.graph.initializer}
    without = [node.name for node in model.graph.node if weights.isdisjoint(node.input)]
    onnx.helper.set_model_props(model, _PREPARED)
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        source, target = Path(folder) / "float32.onnx", Path(folder) / "int8.onnx"
        onnx.save(model, source)
        quantize_static(
            source,
            target,
            _Reader(images, progress),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=list(_WITH_WEIGHTS),
            nodes_to_exclude=without,
            per_channel=True,
            reduce_range=True,
            activation_type=QuantType.QInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=CalibrationMethod.Percentile,
            extra_options={
                "ActivationSymmetric": True,
                "WeightSymmetric": True,
                "QuantizeBias": False,
                # What no int8 node reads keeps its precision: residual sums, attention's products.
                "OpTypesToExcludeOutputQuantization": list(_WITH_WEIGHTS),
                "CalibPercentile": PERCENTILE,
                # One image at a time: activations of all would not fit into memory, and those of
                # different sizes not into one array.
                "CalibStridedMinMax": 1,
            },
        )
        quantised = onnx.load(target)
    del quantised.metadata_props[:]
    onnx.checker.check_model(quantised, full_check=True)
    return quantised.SerializeToString()


class _Reader:
    """The images as ``quantize_static`` asks for them; it looks for these three methods."""

    def __init__(
        self,
        images: Sequence[NDArray[np.float32]],
        progress: Callable[[int, int], None] | None,
    ) -> None:
        self._images = images
        self._progress = progress or (lambda done, total: None)
        self._left = iter(range(len(images)))

    def __len__(self) -> int:
        return len(self._images)

    def set_range(self, start_index: int, end_index: int) -> None:
        self._left = iter(range(start_index, end_index))

    def get_next(self) -> dict[str, NDArray[np.float32]] | None:
        index = next(self._left, None)
        if index is None:
            return None
        self._progress(index + 1, len(self._images))
        return {"image": self._images[index]}
