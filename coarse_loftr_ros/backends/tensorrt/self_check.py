"""Whether a backend finds an image in itself: a wrong engine must not be found out by a robot."""

from __future__ import annotations

import numpy as np

from coarse_loftr_ros.backends.base import Backend, ModelFiles

__all__ = ["cells_found"]


def cells_found(backend: Backend, model: ModelFiles) -> tuple[int, int]:
    """Match a drawn image with itself.

    Args:
        backend: that has the model loaded.
        model: as exported.

    Returns:
        How many coarse cells are found where they are, to a fine pixel, and how many there are.
    """
    size, stride = backend.size, model.coarse_stride
    height, width = size.height // 4, size.width // 4
    noise = np.random.default_rng(0).integers(0, 256, (height, width), np.uint8)
    features = backend.encode(noise.repeat(4, axis=0).repeat(4, axis=1))
    cells, columns = model.cells(size), size.width // stride
    cell = np.arange(cells)
    middle = np.stack([cell % columns, cell // columns], axis=1) + 0.5
    corners = (middle * stride).astype(np.float32)
    found = backend.match(features, features, lambda: corners, 0.0, cells)
    apart = np.abs(found.position - corners[found.cell]).max(axis=1, initial=0)
    return int((apart < model.fine_stride).sum()), cells
