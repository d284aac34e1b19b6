"""The cameras of the images of a replay, image by image, as the matcher node gets them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from coarse_loftr_ros.cameras.calibration import Calibration, CalibrationError, rows_correspond
from coarse_loftr_ros.cameras.camera_info import intrinsics_of
from coarse_loftr_ros.cameras.rectification import Rectification
from coarse_loftr_ros.recordings.frame_sets import FrameSet
from coarse_loftr_ros.recordings.input_report import InputReport
from coarse_loftr_ros.recordings.source import SourceImage

__all__ = ["ImageCameras", "on_one_row", "seen_by"]


class ImageCameras:
    """Passes images on, and remembers their cameras until a later frame set is asked for.

    Args:
        images: of one or two streams.
        report: counts images that cannot be rectified.
        rectify: whether images are made undistorted and aligned by row, each as its own camera
            says.
    """

    def __init__(
        self, images: Iterable[SourceImage], report: InputReport, *, rectify: bool
    ) -> None:
        self._images = images
        self._report = report
        self._rectify = rectify
        self._passed: list[SourceImage] = []
        self._cameras: list[dict[int, Calibration]] = [{}, {}]  # by stamp
        self._through: dict[Calibration, Rectification | CalibrationError] = {}

    def __iter__(self) -> Iterator[SourceImage]:
        for image in self._images:
            if self._rectify:
                try:
                    image = self._rectified(image)
                except CalibrationError as error:
                    self._report.reject("camera", image.name, str(error))
                    continue
            self._passed.append(image)
            if image.calibration is not None:
                self._cameras[image.stream][image.stamp] = image.calibration
            yield image

    def passed(self) -> list[SourceImage]:
        """The images that were passed on since this was asked last."""
        passed, self._passed = self._passed, []
        return passed

    def known(self, frames: FrameSet) -> tuple[Calibration | None, Calibration | None]:
        """The cameras of the left and right image of a frame set, where they are known."""
        found = []
        for cameras, frame in zip(self._cameras, (frames.left, frames.right), strict=True):
            found.append(None if frame is None else cameras.get(frame.stamp))
            for stamp in [stamp for stamp in cameras if frame and stamp < frame.stamp]:
                del cameras[stamp]  # is not asked for any more
        return found[0], found[1]

    def _rectified(self, image: SourceImage) -> SourceImage:
        """An image made undistorted and aligned by row.

        Raises:
            CalibrationError: when its camera is not known, or cannot be rectified.
        """
        calibration = image.calibration
        if calibration is None:
            raise CalibrationError(
                f"it cannot be rectified: {image.lacking or 'no camera_info comes with it'}"
            )
        if calibration not in self._through:
            try:
                self._through[calibration] = Rectification(calibration)
            except CalibrationError as error:
                self._through[calibration] = error
        through = self._through[calibration]
        if isinstance(through, CalibrationError):
            raise through
        frame = image.frame
        pixels, mask = through.image(frame.image), through.image_mask(frame.mask)
        return replace(image, frame=replace(frame, image=pixels, mask=mask))


def on_one_row(left: Calibration | None, right: Calibration | None) -> bool:
    """Whether two cameras are known to be calibrated as a stereo pair."""
    return left is not None and right is not None and rows_correspond(left, right)


def seen_by(frames: FrameSet, left: Calibration | None, right: Calibration | None) -> FrameSet:
    """A stereo pair with the intrinsics of its cameras, where they are known."""
    found = []
    for frame, camera in ((frames.left, left), (frames.right, right)):
        try:
            found.append(camera and intrinsics_of(camera, frame.width, frame.height))
        except CalibrationError:
            found.append(None)
    return frames.seen_by(*found)
