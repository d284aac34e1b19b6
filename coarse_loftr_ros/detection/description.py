"""A detector as its file describes it: its graph, its input, its outputs and its classes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

__all__ = [
    "BOX_COLUMNS",
    "UNITS",
    "Boxes",
    "Description",
    "DetectorError",
    "Head",
    "Heads",
    "Rows",
]

BOX_COLUMNS = (("x1", "y1", "x2", "y2"), ("cx", "cy", "w", "h"))
"""How a row may say where its box is."""

UNITS = ("pixels", "fraction")
"""Of boxes: pixels of the network's image, or parts of its width and height."""


class DetectorError(ValueError):
    """A detector that cannot be used, in words for the user."""


@dataclass(frozen=True)
class Head:
    """Two outputs of one stride: scores [points, classes] and distances [points, 4 * bins]."""

    stride: int
    scores: str
    distances: str


@dataclass(frozen=True)
class Heads:
    """NanoDet's outputs: at each point of a grid the distances to four sides, as distributions."""

    heads: tuple[Head, ...]

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the outputs that are read."""
        return tuple(name for head in self.heads for name in (head.scores, head.distances))


@dataclass(frozen=True)
class Rows:
    """YOLO's output: a row (or column) for each box; ``scores`` stands for one for each class."""

    output: str
    columns: tuple[str, ...]
    units: str

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the outputs that are read."""
        return (self.output,)


@dataclass(frozen=True)
class Boxes:
    """Outputs of Faster R-CNN and others: boxes (x1, y1, x2, y2), their scores and labels."""

    boxes: str
    scores: str
    labels: str
    units: str

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the outputs that are read."""
        return (self.boxes, self.scores, self.labels)


@dataclass(frozen=True)
class Description:
    """A detector, as its file says.

    Attributes:
        file: the description itself, for messages.
        model: ``.onnx``, or ``.param`` of ncnn with its ``.bin`` beside it.
        width: of the network's image.
        height: of the network's image.
        multiple: the network takes images of any size up to this one, whose sides are multiples of
            it; 0 means only ``width`` x ``height``.
        mean: of each channel, subtracted.
        scale: of each channel, multiplied with the difference.
        padding: grey level beside an image of another shape.
        input: name of the graph's input; empty means its only one.
        classes: names in the order of the network's numbers.
        moving: those that are looked for when nobody says otherwise.
        layout: what the outputs hold.
    """

    file: Path
    model: Path
    width: int
    height: int
    multiple: int
    mean: tuple[float, ...]
    scale: tuple[float, ...]
    padding: int
    input: str
    classes: tuple[str, ...]
    moving: tuple[str, ...]
    layout: Heads | Rows | Boxes

    def numbers(self, names: Sequence[str]) -> tuple[int, ...]:
        """Of classes by their names; without any, of those that move.

        Raises:
            DetectorError: naming a class that the detector does not know.
        """
        for name in names:
            if name not in self.classes:
                raise DetectorError(
                    f"class '{name}' is none of detector {self.file.name}; it knows "
                    f"{', '.join(self.classes)}"
                )
        return tuple(self.classes.index(name) for name in names or self.moving)
