"""TensorBoard, where it is asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Board"]


class Board:
    """Writes scalars and pictures, or nothing.

    Args:
        folder: of the event files.
        enabled: whether to write anything.

    Raises:
        ModuleNotFoundError: when it is asked for and not installed.
    """

    def __init__(self, folder: Path, *, enabled: bool) -> None:
        self._writer: Any = None
        if enabled:
            try:
                from torch.utils.tensorboard import SummaryWriter
            except ModuleNotFoundError as error:
                raise ModuleNotFoundError(
                    "tensorboard is asked for and not installed: pip install tensorboard"
                ) from error
            self._writer = SummaryWriter(str(folder))

    def scalars(self, group: str, figures: dict[str, float], step: int) -> None:
        """One point of each curve."""
        if self._writer is not None:
            for name, value in figures.items():
                self._writer.add_scalar(f"{group}/{name}", value, step)

    def picture(self, name: str, picture: NDArray[np.uint8], step: int) -> None:
        """A picture uint8 [H, W, 3], blue first."""
        if self._writer is not None:
            self._writer.add_image(name, picture[..., ::-1].copy(), step, dataformats="HWC")

    def close(self) -> None:
        """Write what is left."""
        if self._writer is not None:
            self._writer.close()
