"""A textured plane that a camera passes: images in order, and where their pixels are in others."""

from pathlib import Path

import cv2
import numpy as np
from scenes import motion, texture, view

SIZE = (320, 256)


class DrawnSequence:
    """Images of a folder with exact truth."""

    def __init__(self, folder: Path, count: int = 4, size: tuple[int, int] = SIZE) -> None:
        folder.mkdir(parents=True)
        self.folder = folder
        plane = texture(700, 600, seed=5)
        away = np.array([[1, 0, -180], [0, 1, -160], [0, 0, 1.0]])
        self._to_image = [motion(-7 * n, 4 * n, 1.5 * n, 1 + 0.01 * n) @ away for n in range(count)]
        self.images = [folder / f"{number}.png" for number in range(count)]
        for number, path in enumerate(self.images):
            image = view(plane, self._to_image[number], *size, seed=number)
            cv2.imwrite(str(path), image)

    def moved(self, reference: int, current: int, points: np.ndarray) -> np.ndarray:
        """Where points [N, 2] of one image are in another."""
        between = self._to_image[current] @ np.linalg.inv(self._to_image[reference])
        return cv2.perspectiveTransform(np.float64(points)[:, None], between)[:, 0]
