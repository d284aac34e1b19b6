"""The layout that the settings name."""

from __future__ import annotations

from coarse_loftr_lab.training.depth_sequences.layout import DatasetLayout
from coarse_loftr_lab.training.settings import SequenceSettings

__all__ = ["open_layout"]


def open_layout(settings: SequenceSettings) -> DatasetLayout:
    """The data that the settings name.

    Raises:
        FileNotFoundError: when files of the layout are missing.
        ValueError: when they are not what the layout says.
        ModuleNotFoundError: when ``mega_depth`` lacks h5py.
    """
    if settings.layout == "blended_mvs":
        from coarse_loftr_lab.training.depth_sequences.blended_mvs import BlendedMVS

        return BlendedMVS(settings.folder)
    if settings.layout == "mega_depth":
        from coarse_loftr_lab.training.depth_sequences.mega_depth import MegaDepth

        return MegaDepth(settings.folder, settings.index, settings.overlap)
    if settings.layout == "tum_rgbd":
        from coarse_loftr_lab.training.depth_sequences.tum_rgbd import TumRgbd

        return TumRgbd(settings.folder, settings.intrinsics, settings.gap)
    from coarse_loftr_lab.training.depth_sequences.unposed_images import UnposedImages

    return UnposedImages(settings.folder, settings.gap)
