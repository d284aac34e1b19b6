"""Images for what follows one camera: of that camera alone, rectified where that is wanted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from coarse_loftr_ros.cameras.calibration import Calibration, differing_value
from coarse_loftr_ros.cameras.rectification import Rectification
from coarse_loftr_ros.recordings.input_report import InputReport
from coarse_loftr_ros.recordings.source import SourceImage

__all__ = ["of_one_camera", "of_one_size"]


def of_one_camera(
    images: Iterable[SourceImage],
    calibrations: Sequence[Calibration],
    report: InputReport,
    *,
    rectify: bool,
) -> Iterator[SourceImage]:
    """The images that the given cameras took; others are left out and counted.

    An image is another camera's when it has not the calibrated size, or when the recording
    describes another camera at its time: motion between the two would be measured wrongly.

    Args:
        images: of one or two streams.
        calibrations: of each stream.
        report: counts what is left out.
        rectify: whether images are raw and have to be made undistorted and aligned by row.

    Raises:
        CalibrationError: when rectification is wanted, and a camera cannot be rectified.
    """
    through = [Rectification(each) for each in calibrations] if rectify else []
    return _of_one_camera(images, calibrations, report, through)


def _of_one_camera(
    images: Iterable[SourceImage],
    calibrations: Sequence[Calibration],
    report: InputReport,
    through: Sequence[Rectification],
) -> Iterator[SourceImage]:
    for image in images:
        wanted, found = calibrations[image.stream], image.calibration
        if found is None:
            report.reject("camera", image.name, image.lacking)
        elif found is not wanted and (change := _change(wanted, found)):
            report.reject("camera", image.name, f"its camera is another one: {change}")
        elif through:
            rectification, frame = through[image.stream], image.frame
            rectified = replace(
                frame,
                image=rectification.image(frame.image),
                mask=rectification.image_mask(frame.mask),
            )
            yield replace(image, frame=rectified)
        else:
            yield image


def of_one_size(images: Iterable[SourceImage], report: InputReport) -> Iterator[SourceImage]:
    """The images that are as large as the first one of their stream; others are counted.

    Args:
        images: of one or two streams.
        report: counts what is left out.
    """
    sizes: dict[int, tuple[int, int]] = {}
    for image in images:
        size = image.frame.width, image.frame.height
        first = sizes.setdefault(image.stream, size)
        if size == first:
            yield image
        else:
            report.reject(
                "size",
                image.name,
                f"the image is {size[0]}x{size[1]}, and the first one {first[0]}x{first[1]}",
            )


def _change(wanted: Calibration, found: Calibration) -> str:
    """How two cameras differ; empty when they do by digits alone."""
    if (wanted.width, wanted.height) != (found.width, found.height):
        return (
            f"camera_info describes {found.width}x{found.height}, and before it "
            f"{wanted.width}x{wanted.height}"
        )
    for name, ours, theirs in (
        ("P", wanted.projection, found.projection),
        ("K", wanted.camera, found.camera),
        ("R", wanted.rotation, found.rotation),
        ("D", wanted.distortion, found.distortion),
    ):
        if len(ours) != len(theirs):
            return f"{name} of camera_info has {len(theirs)} values, and had {len(ours)} before"
        place = differing_value(ours, theirs)
        if place is not None:
            return f"{name}[{place}] of camera_info is {theirs[place]:g}, and was {ours[place]:g}"
    if wanted.model == found.model:
        return ""
    return f"its model of distortion is {found.model}, and was {wanted.model}"
