"""What is fixed when a pipeline is made, and the network loaded as that says."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from coarse_loftr_ros.backends.base import MOST_SIDE, EngineFolder, ModelFiles, Reports
from coarse_loftr_ros.backends.registry import create_backend
from coarse_loftr_ros.images.preprocessing import NetworkSize
from coarse_loftr_ros.matching.matcher import Matcher

__all__ = ["PipelineSettings", "load_matcher"]


@dataclass(frozen=True)
class PipelineSettings:
    """What is fixed when a pipeline is made.

    Attributes:
        backend: name of the runtime, or ``auto``.
        model: the exported model.
        network_pixels: of the network image; larger images are reduced to about this. 0 takes
            what the model was made for.
        detail_pixels: of the image on which points are aligned; larger images are reduced to
            about this.
        threads: CPU threads of the runtime; 0 lets it choose.
        precision: of the runtime, or ``auto``, the fastest of it that keeps the accuracy.
        engines: folder of TensorRT's engines.
        runtime: of the backend ``cuda``, see ``create_backend``.
    """

    backend: str = "auto"
    model: ModelFiles = field(default_factory=ModelFiles.load)
    network_pixels: int = 0
    detail_pixels: int = 1280 * 720
    threads: int = 0
    precision: str = "auto"
    engines: EngineFolder = field(default_factory=EngineFolder)
    runtime: str = "cuda"

    def __post_init__(self) -> None:
        least = 64 * 64
        most = MOST_SIDE * MOST_SIDE
        if self.network_pixels and not least <= self.network_pixels <= most:
            raise ValueError(
                f"network_pixels is {self.network_pixels}; it must be 0, or {least} to {most}"
            )
        if self.detail_pixels < least:
            raise ValueError(f"detail_pixels is {self.detail_pixels}; it must be at least {least}")
        if self.threads < 0:
            raise ValueError(f"threads is {self.threads}; it must not be negative")


def load_matcher(settings: PipelineSettings, reports: Reports, size: NetworkSize) -> Matcher:
    """Load the network for a size; takes about half a second on a CPU.

    Args:
        settings: runtime and model.
        reports: receives how far that is, and what was loaded.
        size: of the image that the network sees.

    Raises:
        BackendError: when the runtime or the model cannot be used.
    """
    start = time.perf_counter()
    task = f"loading the network for {size}"
    reports.progress(task, 0.0)
    try:
        backend = create_backend(
            settings.backend,
            settings.model,
            size,
            settings.threads,
            settings.precision,
            settings.engines,
            reports,
            settings.runtime,
        )
    finally:
        reports.progress(task, 1.0)
    seconds = time.perf_counter() - start
    reports.info(f"{backend.description}: loaded in {seconds:.2f} s")
    if MOST_SIDE in (size.width, size.height):
        reports.warning(
            f"the network sees {size}: its sides are at most {MOST_SIDE} px, and longer images "
            "are reduced to that, whatever network_pixels is"
        )
    return Matcher(settings.model, backend, parallel=settings.threads != 1)
