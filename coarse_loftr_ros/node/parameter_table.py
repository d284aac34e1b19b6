"""Every parameter of the node in one table.

The configuration files, the launch file and the documentation are checked against this table.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from coarse_loftr_ros.backends.base import SHIPPED_MODELS
from coarse_loftr_ros.backends.registry import BACKEND_NAMES
from coarse_loftr_ros.homography import HomographySettings
from coarse_loftr_ros.image_decoding import DEPTH16_SCALINGS
from coarse_loftr_ros.pairing import KeyframeRule
from coarse_loftr_ros.pipeline import MatchSettings

__all__ = ["PARAMETERS", "Parameter", "ParameterError", "Value"]

Value = bool | int | float | str


class ParameterError(ValueError):
    """A parameter value that is refused, in words for the user."""


@dataclass(frozen=True)
class Parameter:
    """One row of the table.

    Attributes:
        name: with dots between groups.
        default: its type is the parameter's type.
        description: one sentence.
        unit: of the value; empty when it has none.
        low: least value, for numbers.
        high: largest value, for numbers.
        choices: allowed words, for strings; empty allows any.
        read_only: set at start only.
    """

    name: str
    default: Value
    description: str
    unit: str = ""
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()
    read_only: bool = False

    @property
    def allowed(self) -> str:
        """The allowed values in words."""
        if self.choices:
            return " | ".join(self.choices)
        if isinstance(self.default, bool):
            return "true | false"
        if self.low is not None:
            return f"{self.low} to {self.high}{' ' + self.unit if self.unit else ''}"
        return "any text"

    def check(self, value: object) -> None:
        """Refuse a value of another type or out of range.

        Raises:
            ParameterError: naming the parameter, the value and what is allowed.
        """
        if type(value) is not type(self.default):
            kind = {bool: "true or false", int: "a whole number", str: "text"}
            wanted = kind.get(type(self.default), "a number with a decimal point")
            raise ParameterError(
                f"parameter '{self.name}' is {value!r}; it must be {wanted}: {self.allowed}"
            )
        if self.choices and value not in self.choices:
            raise ParameterError(
                f"parameter '{self.name}' is '{value}'; allowed are {', '.join(self.choices)}"
            )
        if self.low is not None and not self.low <= value <= self.high:
            raise ParameterError(f"parameter '{self.name}' is {value}; allowed is {self.allowed}")


_MATCH = MatchSettings()
_HOMOGRAPHY = HomographySettings()
_KEYFRAME = KeyframeRule()

_ROWS = (
    # --- set at start ---------------------------------------------------------------------------
    Parameter(
        "mode",
        "mono",
        "One camera, or the two eyes of a stereo camera.",
        choices=("mono", "stereo"),
        read_only=True,
    ),
    Parameter(
        "backend",
        "auto",
        "Runtime of the network; auto takes the fastest that is installed and says which.",
        choices=BACKEND_NAMES,
        read_only=True,
    ),
    Parameter(
        "model",
        SHIPPED_MODELS[0],
        "A model of the package, fast or accurate, or the folder of an exported one.",
        read_only=True,
    ),
    Parameter(
        "threads",
        0,
        "CPU threads of the runtime; 0 lets it choose.",
        low=0,
        high=256,
        read_only=True,
    ),
    Parameter(
        "network_pixels",
        0,
        "Pixels of the image that the network sees; larger images are reduced to about this, "
        "keeping their shape. 0 takes what the model was made for: 143360 (448x320) fast, 196608 "
        "(512x384) accurate.",
        unit="px",
        low=0,
        high=4194304,
        read_only=True,
    ),
    Parameter(
        "detail_pixels",
        921600,
        "Pixels of the image on which points are aligned; larger images are reduced to about this.",
        unit="px",
        low=4096,
        high=67108864,
        read_only=True,
    ),
    Parameter(
        "expected_width",
        640,
        "Width of the images to come, for which the network is prepared at configure.",
        unit="px",
        low=1,
        high=16384,
        read_only=True,
    ),
    Parameter(
        "expected_height",
        480,
        "Height of the images to come, for which the network is prepared at configure.",
        unit="px",
        low=1,
        high=16384,
        read_only=True,
    ),
    Parameter(
        "image_transport",
        "raw",
        "sensor_msgs/Image, or sensor_msgs/CompressedImage from <image>/compressed.",
        choices=("raw", "compressed"),
        read_only=True,
    ),
    Parameter(
        "image_reliability",
        "best_effort",
        "Reliability asked of image publishers; best_effort receives from every publisher.",
        choices=("best_effort", "reliable"),
        read_only=True,
    ),
    Parameter(
        "freshness",
        "latest",
        "latest matches the newest image and skips older ones; all matches each in order, as far "
        "as queue_depth allows.",
        choices=("latest", "all"),
        read_only=True,
    ),
    Parameter(
        "queue_depth",
        10,
        "Images that may wait in the middleware, and with freshness all also in the node; beyond "
        "it the oldest is let go.",
        unit="images",
        low=1,
        high=1000,
        read_only=True,
    ),
    Parameter(
        "use_mask",
        False,
        "Subscribe to mask (mono8, as large as the image; in stereo the left one): matches lie "
        "only where the latest mask is not zero.",
        read_only=True,
    ),
    Parameter(
        "autostart",
        True,
        "Configure and activate by itself; false waits for lifecycle transitions.",
        read_only=True,
    ),
    Parameter(
        "diagnostics_period",
        1.0,
        "Time between two messages on /diagnostics.",
        unit="s",
        low=0.1,
        high=60.0,
        read_only=True,
    ),
    # --- may change at run time -----------------------------------------------------------------
    Parameter(
        "pairing",
        "consecutive",
        "Mono: match each image with the previous one, or with a keyframe that stays while it "
        "is seen well enough and whose points keep their track_id.",
        choices=("consecutive", "keyframe"),
    ),
    Parameter(
        "confidence_threshold",
        _MATCH.confidence_threshold,
        "Least confidence of a match; confidences are calibrated, so 0.5 leaves out what is more "
        "likely wrong than right.",
        low=0.0,
        high=1.0,
    ),
    Parameter(
        "max_matches",
        _MATCH.max_matches,
        "Most matches per image; the most confident are kept.",
        low=4,
        high=100000,
    ),
    Parameter(
        "depth16_scaling",
        "stretch",
        "How 16-bit images become 8-bit: stretch maps each image's own range, full_range keeps "
        "the high byte.",
        choices=DEPTH16_SCALINGS,
    ),
    Parameter(
        "image_timeout",
        2.0,
        "Diagnostics warn when no image came for longer than this.",
        unit="s",
        low=0.1,
        high=3600.0,
    ),
    Parameter(
        "search.views",
        _MATCH.search.views,
        "Viewpoints (quarter turns, zooms by 2 and 1/2) tried for an image that does not match; "
        "each costs about half a match, the next image goes on where the last one stopped. 11 "
        "are all of them, 0 tries none.",
        low=0,
        high=11,
    ),
    Parameter(
        "search.second_pass",
        _MATCH.search.second_pass,
        "Change of view from which an image is matched a second time as the reference saw it: 0.1 "
        "is a zoom by 1.1 or a rotation by 6 degrees. 10 never does.",
        low=0.0,
        high=10.0,
    ),
    Parameter(
        "refinement.enabled",
        _MATCH.refinement.enabled,
        "Align matches on the images to a fraction of a pixel; without it they are good to about "
        "a pixel and cost less.",
    ),
    Parameter(
        "homography.threshold_px",
        _HOMOGRAPHY.threshold_px,
        "Largest transfer error of an inlier, in pixels of the network's image.",
        unit="px",
        low=0.1,
        high=50.0,
    ),
    Parameter(
        "homography.min_inliers",
        _HOMOGRAPHY.min_inliers,
        "Fewer inliers mean LOST.",
        low=4,
        high=100000,
    ),
    Parameter(
        "homography.good_inliers",
        _HOMOGRAPHY.good_inliers,
        "Fewer inliers mean DEGRADED.",
        low=0,
        high=100000,
    ),
    Parameter(
        "homography.good_inlier_ratio",
        _HOMOGRAPHY.good_inlier_ratio,
        "A smaller share of inliers among the matches means DEGRADED.",
        low=0.0,
        high=1.0,
    ),
    Parameter(
        "homography.good_coverage",
        _HOMOGRAPHY.good_coverage,
        "Inliers on a smaller share of the image mean DEGRADED.",
        low=0.0,
        high=1.0,
    ),
    Parameter(
        "keyframe.min_inliers",
        _KEYFRAME.min_inliers,
        "Fewer inliers replace the keyframe.",
        low=0,
        high=100000,
    ),
    Parameter(
        "keyframe.min_coverage",
        _KEYFRAME.min_coverage,
        "Inliers on a smaller share of the keyframe replace it.",
        low=0.0,
        high=1.0,
    ),
    Parameter(
        "keyframe.max_age",
        _KEYFRAME.max_age,
        "Images after which the keyframe is replaced in any case; 0 means never.",
        unit="images",
        low=0,
        high=1000000,
    ),
    Parameter(
        "keyframe.lost_patience",
        _KEYFRAME.lost_patience,
        "LOST images in a row before the keyframe is given up.",
        unit="images",
        low=1,
        high=1000,
    ),
    Parameter(
        "stereo.tolerance",
        0.005,
        "Stereo: largest difference between the stamps of a pair.",
        unit="s",
        low=0.0,
        high=1.0,
    ),
    Parameter(
        "overlay.max_lines",
        300,
        "Most matches drawn on the overlay.",
        low=1,
        high=100000,
    ),
    Parameter(
        "overlay.max_rate",
        10.0,
        "Most overlay pictures per second; drawing takes time from matching.",
        unit="Hz",
        low=0.1,
        high=1000.0,
    ),
)

PARAMETERS: Mapping[str, Parameter] = {row.name: row for row in _ROWS}
"""The table, by name and in the order of the documentation."""
