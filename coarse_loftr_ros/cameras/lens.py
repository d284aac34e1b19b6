"""Distortion models by the names that drivers and calibration programs give them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

__all__ = ["Lens", "LensError", "lens_of"]

# Names of sensor_msgs/distortion_models.hpp, and the parameters that each takes. The order of the
# parameters is OpenCV's, in which a longer model with zeros is the shorter one.
_MODELS = {
    "plumb_bob": (4, 5),
    "rational_polynomial": (4, 5, 8, 12, 14),
    "equidistant": (4,),
}
# What others call them: Kalibr, RealSense, and camera_calibration before it said equidistant.
_ALIASES = {
    "radtan": "plumb_bob",
    "radial_tangential": "plumb_bob",
    "brown_conrady": "plumb_bob",
    "equi": "equidistant",
    "fisheye": "equidistant",
    "kannala_brandt": "equidistant",
    "kannala_brandt4": "equidistant",
}
# These are cameras without distortion, or models that drivers name with parameters of zero.
_WITHOUT = (
    "",
    "none",
    "pinhole",
    "perspective",
    "inverse_brown_conrady",
    "modified_brown_conrady",
)
# That errors repeat.
_LONGEST_NAME = 40


class LensError(ValueError):
    """A distortion that is not known, in words for the user."""


@dataclass(frozen=True)
class Lens:
    """A distortion as OpenCV computes it.

    Attributes:
        fisheye: by ``cv2.fisheye`` (a polynomial of the angle) instead of ``cv2`` (one of the
            radius, and tangential terms).
        parameters: 4 of a fisheye; 0, 4, 5, 8, 12 or 14 otherwise.
    """

    fisheye: bool
    parameters: tuple[float, ...]


def lens_of(model: str, parameters: Sequence[float]) -> Lens:
    """The distortion that a ``sensor_msgs/CameraInfo`` names.

    Zeros behind the parameters that a model takes are left away. Without any parameters there is
    no distortion; an equidistant lens whose parameters are zeros has one.

    Args:
        model: its name.
        parameters: D.

    Raises:
        LensError: for an unknown model, a number of parameters that it does not take, or values
            that are not finite.
    """
    for number, value in enumerate(parameters):
        if not np.isfinite(value):
            raise LensError(f"D[{number}] of camera_info is {value}; it must be finite")
    said = model if len(model) <= _LONGEST_NAME else model[:_LONGEST_NAME] + "..."
    name = model.strip().lower().replace(" ", "_").replace("-", "_")
    name = _ALIASES.get(name, name)
    if name in _WITHOUT:
        if any(parameters):
            raise LensError(
                f"distortion model is '{said}', and D is not 0; allowed with that are "
                f"{', '.join(_MODELS)}"
            )
        return Lens(False, ())
    if name not in _MODELS:
        raise LensError(f"distortion model is '{said}'; allowed are {', '.join(_MODELS)}, none")
    fisheye = name == "equidistant"
    if not any(parameters) and not (fisheye and len(parameters)):
        return Lens(False, ())
    counts, kept = _MODELS[name], list(parameters)
    while len(kept) not in counts and kept and kept[-1] == 0:
        kept.pop()
    if len(kept) not in counts:
        raise LensError(
            f"distortion model {said} has {len(parameters)} parameters; it takes "
            f"{' or '.join(map(str, counts))}, and zeros behind them"
        )
    return Lens(fisheye, tuple(float(value) for value in kept))
