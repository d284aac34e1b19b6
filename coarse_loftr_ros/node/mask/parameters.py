"""What the values of the mask node's parameters mean to the detector."""

from __future__ import annotations

from collections.abc import Mapping

from coarse_loftr_ros.detection.description import DetectorError
from coarse_loftr_ros.detection.description_file import load_description
from coarse_loftr_ros.detection.detector import Detector, DetectorSettings
from coarse_loftr_ros.node.common.parameter import ParameterError, Value, check_values
from coarse_loftr_ros.node.mask.parameter_table import PARAMETERS

__all__ = ["check", "load_detector", "looked_for"]


def check(values: Mapping[str, Value], detector: Detector | None = None) -> None:
    """Refuse values that the table or the detector, once it is loaded, does not allow.

    Raises:
        ParameterError: naming the parameter, the value and what is allowed.
    """
    check_values(PARAMETERS, values)
    if detector is not None:
        try:
            detector.description.numbers(looked_for(values))
        except DetectorError as error:
            raise ParameterError(f"parameter 'classes': {error}") from error


def looked_for(values: Mapping[str, Value]) -> tuple[str, ...]:
    """Names of the classes; none means those that the detector calls moving."""
    return tuple(name.strip() for name in values["classes"].split(",") if name.strip())


def load_detector(values: Mapping[str, Value]) -> Detector:
    """The detector.

    Raises:
        DetectorError: when there is none, or it cannot be used.
    """
    if not values["detector"]:
        raise DetectorError(
            "parameter 'detector' is empty; it must be the path of a detector's description, such "
            "as config/detector_nanodet.yaml"
        )
    settings = DetectorSettings(looked_for(values), values["score"], values["threads"])
    return Detector(load_description(values["detector"]), settings)
