"""Image sequences with known poses and depth, in the layouts of public data sets."""

from coarse_loftr_ros.training.depth_sequences.layout import (
    Camera,
    Layout,
    PosedPair,
    PosedPairs,
    open_layout,
)

__all__ = ["Camera", "Layout", "PosedPair", "PosedPairs", "open_layout"]
