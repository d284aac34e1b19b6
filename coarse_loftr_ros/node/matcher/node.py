"""The lifecycle node ``matcher``: images in, correspondences and homographies out."""

from __future__ import annotations

from collections.abc import Mapping

from coarse_loftr_ros.backends.base import BackendError, Reports
from coarse_loftr_ros.matching.loaded_sizes import LoadingLimit
from coarse_loftr_ros.matching.pipeline import Pipeline
from coarse_loftr_ros.node.common.managed_node import ManagedNode, NotReadyError
from coarse_loftr_ros.node.common.parameter import Value
from coarse_loftr_ros.node.matcher.activity import MatcherActivity
from coarse_loftr_ros.node.matcher.parameter_table import PARAMETERS
from coarse_loftr_ros.node.matcher.parameters import (
    check,
    match_settings,
    pipeline_settings,
    reference_policy,
)

__all__ = ["MatcherNode"]


class MatcherNode(ManagedNode[Pipeline]):
    """Matches images with a reference and publishes what it finds.

    Configure loads the network, activate opens topics and services; deactivate and cleanup
    release them.

    Raises:
        ParameterError: when a parameter is refused at start.
    """

    def __init__(self) -> None:
        super().__init__("matcher", "matching", PARAMETERS, check)

    def prepare(self, values: Mapping[str, Value]) -> Pipeline:
        """Load the network and warm it up."""
        log = self.get_logger()
        try:
            settings = pipeline_settings(values)
            log.info(
                f"loading model {settings.model.name} ({settings.model.sha256}) with backend "
                f"{settings.backend}: about a second on a CPU, up to minutes where TensorRT has to "
                "build engines"
            )
            return Pipeline(
                settings,
                match_settings(values),
                reference_policy(values),
                (values["expected_width"], values["expected_height"]),
                Reports(log.info, log.warning, self.progress),
                LoadingLimit(),
            )
        except BackendError as error:
            raise NotReadyError(str(error)) from error

    def open(self, prepared: Pipeline, values: Mapping[str, Value]) -> MatcherActivity:
        """Open topics and services."""
        return MatcherActivity(self, prepared, values, lambda: self.busy)

    def change_prepared(self, prepared: Pipeline, values: Mapping[str, Value]) -> None:
        """Use other thresholds while inactive."""
        prepared.match_settings = match_settings(values)
        prepared.policy = reference_policy(values)

    def pause(self, prepared: Pipeline) -> None:
        """The network stays loaded; the reference does not."""
        prepared.reset()

    def discard(self, prepared: Pipeline) -> None:
        """Release the network."""
        prepared.close()
