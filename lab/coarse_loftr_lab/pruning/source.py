"""What is pruned: a run, a checkpoint, an exported or shipped model."""

from __future__ import annotations

import pickle
from dataclasses import dataclass
from pathlib import Path

from coarse_loftr_lab.network.matcher_net import SIZE_MULTIPLE, MatcherNet
from coarse_loftr_lab.network.restore import is_model, open_network
from coarse_loftr_ros.backends.base import MOST_SIDE, SHIPPED_MODELS, BackendError, ModelFiles
from coarse_loftr_ros.images.preprocessing import network_size

__all__ = ["Source", "open_source"]

_PIXELS = 512 * 384  # as coarse-loftr export


@dataclass(frozen=True, eq=False)
class Source:
    """A trained network and where it came from.

    Attributes:
        path: a checkpoint, a model's folder, or the name of a shipped model.
        net: in evaluation mode.
        network_pixels: of the image that it sees, about.
    """

    path: Path
    net: MatcherNet
    network_pixels: int

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) at which it sees a VGA image."""
        size = network_size(640, 480, self.network_pixels, SIZE_MULTIPLE, MOST_SIDE)
        return size.width, size.height


def open_source(path: Path, network_pixels: int | None = None) -> Source:
    """Open what the user named.

    Args:
        path: a checkpoint, the folder of a run or of a model, or the name of a shipped model.
        network_pixels: in place of the model's own; a checkpoint has 512x384.

    Raises:
        ValueError: when there is no network of this project, or it would see too few pixels.
    """
    if network_pixels is not None and network_pixels < SIZE_MULTIPLE**2:
        raise ValueError(
            f"network pixels are {network_pixels}; at least {SIZE_MULTIPLE**2}, one square of "
            f"{SIZE_MULTIPLE} px, are needed"
        )
    if str(path) not in SHIPPED_MODELS:
        if not path.exists():
            raise ValueError(
                f"{path} does not exist; it must be a checkpoint, the folder of a run or of a "
                f"model, or {' or '.join(SHIPPED_MODELS)}"
            )
        if path.is_dir() and not (path / "model.json").is_file():
            if not (path / "last.pt").is_file():
                raise ValueError(
                    f"{path} holds neither the last.pt of a run nor the model.json of a model"
                )
            path = path / "last.pt"
    try:
        net = open_network(path)
        if network_pixels is None:
            own = ModelFiles.load(str(path)).network_pixels if is_model(path) else _PIXELS
            network_pixels = own
    except (KeyError, EOFError, pickle.UnpicklingError) as error:
        # Not in torch's words, which advise to run what is in the file.
        raise ValueError(f"{path} is no checkpoint of this project") from error
    except (ValueError, RuntimeError, BackendError) as error:
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise ValueError(f"{path} cannot be pruned: {reason}") from error
    return Source(path, net, network_pixels)
