"""Models that a worker has loaded."""

from __future__ import annotations

from collections import OrderedDict

from coarse_loftr_ros.backends.base import BackendError, ModelFiles, Reports
from coarse_loftr_ros.backends.precision import PRECISION_NAMES, choose_precision
from coarse_loftr_ros.backends.registry import BACKEND_NAMES, choose_backend
from coarse_loftr_ros.fleet.settings import FleetError, Settings
from coarse_loftr_ros.matching.frame_matching import MatchSettings
from coarse_loftr_ros.matching.pipeline import Pipeline
from coarse_loftr_ros.matching.pipeline_settings import PipelineSettings
from coarse_loftr_ros.matching.reference_policy import Consecutive, Keyframe
from coarse_loftr_ros.matching.search import SearchSettings

__all__ = ["Pipelines", "check_matching"]

_KEPT = 4


class Pipelines:
    """One loaded model for each runtime and model among the settings, at most four."""

    def __init__(self) -> None:
        self._loaded: OrderedDict[tuple, Pipeline] = OrderedDict()

    def get(self, settings: Settings, size: tuple[int, int]) -> Pipeline:
        """A pipeline that knows nothing of what was matched before.

        Args:
            settings: of matching.
            size: (width, height) of the images to come.

        Raises:
            BackendError: when the runtime or the model cannot be used.
            ValueError: when settings do not serve.
        """
        key = (
            settings.model,
            settings.backend,
            settings.precision,
            settings.threads,
            settings.network_pixels,
        )
        pipeline = self._loaded.pop(key, None)
        if pipeline is None:
            if len(self._loaded) == _KEPT:
                self._loaded.popitem(last=False)[1].close()
            pipeline = Pipeline(
                pipeline_settings(settings),
                match_settings(settings),
                Consecutive(),
                size,
                Reports(),
            )
        self._loaded[key] = pipeline
        pipeline.start_over()
        pipeline.match_settings = match_settings(settings)
        pipeline.policy = Keyframe() if settings.pairing == "keyframe" else Consecutive()
        return pipeline

    def close(self) -> None:
        """Give back what the runtimes hold."""
        while self._loaded:
            self._loaded.popitem()[1].close()


def check_matching(settings: Settings, *, here: bool) -> None:
    """Refuse settings with which no recording could be matched.

    Args:
        settings: of matching.
        here: whether the workers run on this machine, so that its runtimes are theirs.

    Raises:
        FleetError: naming the settings and what is allowed.
    """
    try:
        match_settings(settings)
        model = pipeline_settings(settings).model
        if settings.backend not in BACKEND_NAMES or here:
            backend = choose_backend(settings.backend).name
            choose_precision(settings.precision, backend, model)
        elif settings.precision not in PRECISION_NAMES:
            choose_precision(settings.precision, "onnxruntime", model)
    except (BackendError, ValueError) as error:
        raise FleetError(f"settings '{settings.name}': {error}") from error


def pipeline_settings(settings: Settings) -> PipelineSettings:
    """Runtime and model.

    Raises:
        BackendError: when there is no such model.
        ValueError: when a value does not serve.
    """
    return PipelineSettings(
        backend=settings.backend,
        model=ModelFiles.load(settings.model),
        network_pixels=settings.network_pixels,
        threads=settings.threads,
        precision=settings.precision,
    )


def match_settings(settings: Settings) -> MatchSettings:
    """Thresholds.

    Raises:
        ValueError: when a value does not serve.
    """
    return MatchSettings(
        confidence_threshold=settings.threshold,
        max_matches=settings.max_matches,
        row_tolerance_px=settings.row_tolerance,
        search=SearchSettings(settings.search_views, second_pass=settings.second_pass),
    )
