"""OpenVINO on the CPU."""

from __future__ import annotations

import numpy as np
import openvino
from numpy.typing import NDArray

from coarse_loftr_ros.backends.base import (
    BackendError,
    CoarseMatches,
    EncodedImage,
    ModelFiles,
)
from coarse_loftr_ros.preprocessing import NetworkSize

__all__ = ["OpenVinoBackend"]


class OpenVinoBackend:
    """Runs the model with OpenVINO in float32, so that results do not depend on the CPU's age.

    Args:
        model: the exported model.
        size: network size to compile for.
        threads: CPU threads; 0 lets OpenVINO choose.

    Raises:
        BackendError: when the size does not fit the model or OpenVINO refuses the graphs.
    """

    name = "openvino"

    def __init__(self, model: ModelFiles, size: NetworkSize, threads: int = 0) -> None:
        model.check_size(size)
        self.size = size
        config: dict[str, object] = {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": "f32",
        }
        if threads:
            config["INFERENCE_NUM_THREADS"] = threads
        core = openvino.Core()
        try:
            encode = core.read_model(model.encode)
            encode.reshape({"image": [1, 1, size.height, size.width]})
            match = core.read_model(model.match)
            channels = match.input("reference_tokens").partial_shape[2].get_length()
            tokens = [1, model.cells(size), channels]
            match.reshape({"reference_tokens": tokens, "current_tokens": tokens})
            compiled_encode = core.compile_model(encode, "CPU", config)
            compiled_match = core.compile_model(match, "CPU", config)
        except RuntimeError as error:
            raise BackendError(f"OpenVINO cannot load model {model.name}: {error}") from error
        self._encode = compiled_encode.create_infer_request()
        self._match = compiled_match.create_infer_request()
        used = compiled_encode.get_property("INFERENCE_NUM_THREADS")
        version = openvino.get_version().split("-")[0]
        self.description = f"OpenVINO {version}, CPU float32, {used} threads, {size}"
        blank = self.encode(np.zeros((1, 1, size.height, size.width), np.float32))
        self.match(blank, blank)

    def encode(self, image: NDArray[np.float32]) -> EncodedImage:
        """See ``Backend.encode``."""
        self._encode.infer([image], share_inputs=True)
        # The request's own buffers are overwritten by the next image: these must be kept.
        tokens = self._encode.get_output_tensor(0).data.copy()
        fine = self._encode.get_output_tensor(1).data[0].copy()
        return EncodedImage(tokens, fine)

    def match(self, reference: EncodedImage, current: EncodedImage) -> CoarseMatches:
        """See ``Backend.match``."""
        self._match.infer([reference.tokens, current.tokens], share_inputs=True)
        return CoarseMatches(*(self._match.get_output_tensor(i).data[0] for i in range(5)))
