"""A path beside the true one, drawn with matplotlib."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from coarse_loftr_ros.files.panels import make_panels
from coarse_loftr_ros.matching.result import Status
from coarse_loftr_ros.recordings.trajectories.trajectory import Trajectory, associate
from coarse_loftr_ros.recordings.trajectories.visual_odometry import OdometryRun

__all__ = ["draw_path"]

_NAMES = ("x (right)", "y (down)", "z (forward)")
_OURS, _TRUE, _LOST = "#0072B2", "#999999", "#D55E00"


def draw_path(
    path: Path,
    run: OdometryRun,
    truth: Trajectory | None,
    scale: float,
    tolerance_ns: int = 20_000_000,
) -> None:
    """Draw the path seen from above, and its distance from the truth.

    A camera that looks down is seen along its view.

    Paths begin alike, in the optical frame of the first image; they are not aligned otherwise.

    Args:
        path: of the picture; its ending chooses the format.
        run: the estimates.
        truth: where it is known.
        scale: factor for the estimate's lengths.
        tolerance_ns: largest difference of the stamps of an estimate and its truth.

    Raises:
        ModuleNotFoundError: when matplotlib is not installed.
        OSError: when the picture cannot be written.
        ValueError: when the ending is no format of matplotlib.
    """
    ours, true = run.trajectory.scaled(scale), None
    if truth is not None:
        pair = associate(ours, truth, tolerance_ns)
        ours_then, true = (each.from_first() for each in pair)
    figure, panels = make_panels(1, 1 if true is None else 2, 5.2, 4.4)
    shown = ours.from_first().positions
    across, along = _plane(shown if true is None else true.positions)
    if true is not None:
        panels[0].plot(
            true.positions[:, across], true.positions[:, along], color=_TRUE, linewidth=4,
            label="truth",
        )  # fmt: skip
        distance = np.linalg.norm(ours_then.positions - true.positions, axis=1)
        panels[1].plot(true.distances, distance, color=_OURS, linewidth=1.8)
        panels[1].set(xlabel="length of the path, m", ylabel="distance from the truth, m")
    panels[0].plot(shown[:, across], shown[:, along], color=_OURS, linewidth=1.8, label="estimate")
    lost = np.array([estimate.status == Status.LOST for estimate in run.estimates])
    if lost.any():
        panels[0].plot(shown[lost, across], shown[lost, along], "x", color=_LOST, label="lost")
    panels[0].plot(*shown[0, [across, along]], "o", color="black", label="begin")
    unit = "m" if truth is not None or scale != 1 else "m or units"
    panels[0].set(xlabel=f"{_NAMES[across]}, {unit}", ylabel=f"{_NAMES[along]}, {unit}")
    panels[0].set_aspect("equal", adjustable="datalim")
    if along == 1:
        panels[0].invert_yaxis()
    panels[0].legend(frameon=False, fontsize=9)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150)


def _plane(positions: np.ndarray) -> tuple[int, int]:
    """The axes to draw: seen from above, or along z where the camera moves across its view."""
    return (0, 1) if np.ptp(positions, axis=0).argmin() == 2 else (0, 2)
