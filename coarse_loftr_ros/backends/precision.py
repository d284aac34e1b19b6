"""In which number format a runtime computes: by name, or ``auto``."""

from __future__ import annotations

import platform

from coarse_loftr_ros.backends.base import BackendError, ModelFiles

__all__ = ["PRECISION_NAMES", "can_compute", "choose_precision", "graph_in"]

PRECISION_NAMES = ("auto", "fp32", "fp16", "int8")

# What each runtime computes in. ``auto`` takes the first that the model has graphs for: the
# fastest that keeps the accuracy of fp32 (docs/quantisation.md has the figures). On other CPUs
# than x86-64 int8 was not measured, and auto leaves it out.
_OF_RUNTIME = {
    "openvino": ("int8", "fp32"),
    # fp16 only shows on a CPU what a GPU's rounding does, and int8 is slower than fp32.
    "onnxruntime": ("fp32", "fp16", "int8"),
    "ncnn": ("fp32", "fp16"),  # fp16 on some ARM CPUs, where it was not measured
    "tensorrt": ("fp16", "fp32", "int8"),
    # fp16 was slower than fp32 on an H200 where it was measured, without graph optimisation.
    "cuda": ("fp32", "fp16", "int8"),
}


def choose_precision(name: str, runtime: str, model: ModelFiles) -> str:
    """Resolve ``auto`` and refuse what the runtime or the model cannot do.

    Args:
        name: one of ``PRECISION_NAMES``.
        runtime: ``openvino``, ``onnxruntime``, ``ncnn``, ``tensorrt`` or ``cuda``.
        model: as exported.

    Raises:
        BackendError: in words that say what is possible.
    """
    possible = _OF_RUNTIME[runtime]
    if name not in PRECISION_NAMES:
        raise BackendError(f"precision is '{name}'; it must be one of {', '.join(PRECISION_NAMES)}")
    if name == "auto":
        int8 = model.encode_int8 is not None and platform.machine() in ("x86_64", "AMD64")
        return next(each for each in possible if each != "int8" or int8)
    if name not in possible:
        raise BackendError(f"precision is '{name}'; {runtime} computes in {' or '.join(possible)}")
    if name == "int8" and model.encode_int8 is None:
        raise BackendError(
            f"precision is 'int8', but model {model.name} has no int8 graph; make one with "
            "'coarse-loftr quantize', or use 'auto'"
        )
    return name


def can_compute(runtime: str, precision: str, model: ModelFiles) -> bool:
    """Whether a model can be used with a runtime in a precision."""
    if runtime == "ncnn" and model.ncnn is None:
        return False
    return precision in _OF_RUNTIME[runtime] and (
        precision != "int8" or model.encode_int8 is not None
    )


def graph_in(model: ModelFiles, graph: str, precision: str) -> bytes:
    """One ONNX graph of a model in a precision.

    Args:
        model: as exported.
        graph: ``encode`` or ``match``, which int8 leaves as it is.
        precision: ``fp32``, ``fp16`` (converted here) or ``int8``, which the model must have.

    Raises:
        BackendError: when a graph cannot be converted.
    """
    if precision == "int8" and graph == "encode" and model.encode_int8 is not None:
        return model.encode_int8.read_bytes()
    exported = (model.encode if graph == "encode" else model.match).read_bytes()
    return _halved(exported) if precision == "fp16" else exported


def _halved(exported: bytes) -> bytes:
    from coarse_loftr_ros.backends.float16 import to_half

    try:
        return to_half(exported)
    except ImportError as error:
        raise BackendError(
            f"precision 'fp16' converts the graphs with the onnx package ({error}); pip install "
            "onnx, or use 'fp32'"
        ) from error
    except ValueError as error:
        raise BackendError(str(error)) from error
