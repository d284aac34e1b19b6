"""The parameters of the mask node: defaults, ranges, and when they may change.

Node, parameter file and documentation are held to this table by tests.
"""

from __future__ import annotations

from coarse_loftr_ros.detection.detector import DetectorSettings
from coarse_loftr_ros.node.common.image_parameters import IMAGE_RELIABILITY, IMAGE_TRANSPORT
from coarse_loftr_ros.node.common.parameter import MANAGED_NODE, Change, Parameter, table

__all__ = ["PARAMETERS"]

_DETECTOR = DetectorSettings()

PARAMETERS = table(
    # --- read at configure ----------------------------------------------------------------------
    Parameter(
        "detector",
        "",
        "Path of the detector's description, such as config/detector_nanodet.yaml; it must be "
        "given.",
        change=Change.UNCONFIGURED,
    ),
    Parameter(
        "threads",
        _DETECTOR.threads,
        "CPU threads of the detector; more than one only helps where cores are idle. 0 lets its "
        "runtime choose.",
        low=0,
        high=256,
        change=Change.UNCONFIGURED,
    ),
    IMAGE_TRANSPORT,
    IMAGE_RELIABILITY,
    Parameter(
        "queue_depth",
        10,
        "Images that may wait for their mask; beyond it the oldest gets none.",
        unit="images",
        low=1,
        high=1000,
        change=Change.UNCONFIGURED,
    ),
    *MANAGED_NODE,
    # --- may change at run time -----------------------------------------------------------------
    Parameter(
        "classes",
        "",
        "Names of what is left out, with commas; empty takes those that the description calls "
        "moving.",
    ),
    Parameter(
        "score",
        _DETECTOR.score,
        "Least score of what is left out; lower leaves out more, also where nothing is.",
        low=0.01,
        high=1.0,
    ),
    Parameter(
        "dilation",
        8,
        "How far the mask reaches beyond a detected box on each side.",
        unit="px",
        low=0,
        high=1000,
    ),
    Parameter(
        "rate",
        0.0,
        "Most detections per second; images between two get the boxes of the last one. 0 sets no "
        "limit.",
        unit="Hz",
        low=0.0,
        high=1000.0,
    ),
    Parameter(
        "image_timeout",
        2.0,
        "Diagnostics warn when no image came, or no mask went out, for longer than this; images "
        "without a mask for three times as long are an error.",
        unit="s",
        low=0.1,
        high=3600.0,
    ),
)
