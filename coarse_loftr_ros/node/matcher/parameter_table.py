"""Every parameter of the matcher in one table.

The configuration files, the launch file and the documentation are checked against this table.
"""

from __future__ import annotations

from coarse_loftr_ros.backends.base import SHIPPED_MODELS, EngineFolder
from coarse_loftr_ros.backends.cuda.providers import CUDA_RUNTIMES
from coarse_loftr_ros.backends.precision import PRECISION_NAMES
from coarse_loftr_ros.backends.registry import BACKEND_NAMES
from coarse_loftr_ros.images.decoding import DEPTH16_SCALINGS
from coarse_loftr_ros.matching.frame_matching import MatchSettings
from coarse_loftr_ros.node.common.image_parameters import IMAGE_RELIABILITY, IMAGE_TRANSPORT
from coarse_loftr_ros.node.common.parameter import MANAGED_NODE, Change, Parameter, table
from coarse_loftr_ros.node.matcher.thresholds import THRESHOLDS

__all__ = ["PARAMETERS"]

_MATCH = MatchSettings()

PARAMETERS = table(
    # --- read at configure ----------------------------------------------------------------------
    Parameter(
        "mode",
        "mono",
        "One camera, or the two eyes of a stereo camera.",
        choices=("mono", "stereo"),
        change=Change.UNCONFIGURED,
    ),
    Parameter(
        "backend",
        "auto",
        "Runtime of the network; auto takes the first of tensorrt, cuda, openvino, onnxruntime and "
        "ncnn that can be used, a GPU only when it matches as the CPU does, and says what it "
        "passed over.",
        choices=BACKEND_NAMES,
        change=Change.UNCONFIGURED,
    ),
    Parameter(
        "runtime",
        CUDA_RUNTIMES[0],
        "Of backend cuda: ONNX Runtime's CUDA provider, or its TensorRT provider where TensorRT is "
        "installed.",
        choices=CUDA_RUNTIMES,
        change=Change.UNCONFIGURED,
    ),
    Parameter(
        "precision",
        "auto",
        "Number format of the network; auto is the fastest of the runtime that keeps the accuracy "
        "of fp32.",
        choices=PRECISION_NAMES,
        change=Change.UNCONFIGURED,
    ),
    Parameter(
        "engines",
        "",
        "Folder of TensorRT's engines, each with its manifest beside it, such as 'coarse-loftr "
        "engine build --engines' fills; empty is in the user's cache folder.",
        change=Change.UNCONFIGURED,
    ),
    Parameter(
        "engines_limit",
        EngineFolder.most_bytes / 1e9,
        "Size that the folder of engines may have: when one is built, those not used for longest "
        "make room, never one in use; 0 sets no limit.",
        low=0.0,
        high=1000.0,
        unit="GB",
        change=Change.UNCONFIGURED,
    ),
    Parameter(
        "model",
        SHIPPED_MODELS[0],
        "A model of the package (fast) or the folder of an exported one.",
        change=Change.UNCONFIGURED,
    ),
    Parameter(
        "threads",
        0,
        "CPU threads of the runtime; 0 lets it choose.",
        low=0,
        high=256,
        change=Change.UNCONFIGURED,
    ),
    Parameter(
        "network_pixels",
        0,
        "Pixels of the image that the network sees; larger images are reduced to about this, and "
        "to at most 2048 px a side, keeping their shape. 0 takes what the model was made for: "
        "143360 (448x320) for fast.",
        unit="px",
        low=0,
        high=4194304,
        change=Change.UNCONFIGURED,
    ),
    Parameter(
        "detail_pixels",
        921600,
        "Pixels of the image on which points are aligned; larger images are reduced to about this.",
        unit="px",
        low=4096,
        high=67108864,
        change=Change.UNCONFIGURED,
    ),
    Parameter(
        "expected_width",
        640,
        "Width of the images to come, for which the network is prepared at configure.",
        unit="px",
        low=1,
        high=16384,
        change=Change.UNCONFIGURED,
    ),
    Parameter(
        "expected_height",
        480,
        "Height of the images to come, for which the network is prepared at configure.",
        unit="px",
        low=1,
        high=16384,
        change=Change.UNCONFIGURED,
    ),
    IMAGE_TRANSPORT,
    IMAGE_RELIABILITY,
    Parameter(
        "freshness",
        "latest",
        "latest matches the newest image and skips older ones; all matches each in order, as far "
        "as queue_depth allows.",
        choices=("latest", "all"),
        change=Change.UNCONFIGURED,
    ),
    Parameter(
        "queue_depth",
        10,
        "Images that may wait in the middleware, and with freshness all also in the node; beyond "
        "it the oldest is let go.",
        unit="images",
        low=1,
        high=1000,
        change=Change.UNCONFIGURED,
    ),
    Parameter(
        "rectify",
        False,
        "Undistort and rectify the images as camera_info says; false takes them as rectified "
        "already (image_rect).",
        change=Change.UNCONFIGURED,
    ),
    Parameter(
        "use_mask",
        False,
        "Subscribe to mask (mono8, as large as the image; in stereo the left one): matches lie "
        "only where the mask with the image's stamp is not zero. A mask with stamp 0 is of all "
        "images that get none of their own.",
        change=Change.UNCONFIGURED,
    ),
    *MANAGED_NODE,
    # --- may change at run time -----------------------------------------------------------------
    Parameter(
        "pairing",
        "consecutive",
        "Match each image (in stereo the left one) with the previous one, or with a keyframe that "
        "stays while it is seen well enough and whose points keep their track_id.",
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
        "motion_mask",
        _MATCH.motion_mask,
        "Leave out what moves by itself, without a detector: what contradicts the motion that is "
        "seen over the widest part of the image in several images running. In stereo with both "
        "camera_info it also finds what moves along the line of sight; with one camera, and above "
        "all with pairing consecutive, only what moves across it by some pixels.",
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
        "Diagnostics warn when no image came, or no result went out, for longer than this; images "
        "without a result for three times as long are an error.",
        unit="s",
        low=0.1,
        high=3600.0,
    ),
    Parameter(
        "mask_wait",
        0.2,
        "With use_mask: how long an image waits for its mask at most; then it is matched without. "
        "While no mask has come for image_timeout, or only one with stamp 0 has, nothing waits.",
        unit="s",
        low=0.0,
        high=10.0,
    ),
    *THRESHOLDS,
    Parameter(
        "stereo.tolerance",
        0.005,
        "Stereo: largest difference between the stamps of a pair.",
        unit="s",
        low=0.0,
        high=1.0,
    ),
    Parameter(
        "stereo.row_tolerance",
        _MATCH.row_tolerance_px,
        "Stereo: matches of left with right whose rows differ by more are rejected, where both "
        "camera_info say that rows correspond; 0 rejects none.",
        unit="px",
        low=0.0,
        high=100.0,
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
