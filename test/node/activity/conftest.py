"""One network for the tests of a module, and a matcher for each of them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed")
pytest.importorskip("coarse_loftr_msgs", reason="coarse_loftr_msgs is not built")

from active_matcher import HEIGHT, VALUES, WIDTH, ActiveMatcher, Device

from coarse_loftr_ros.matching.pipeline import Pipeline
from coarse_loftr_ros.node.matcher.parameters import (
    match_settings,
    pipeline_settings,
    reference_policy,
)


@pytest.fixture(scope="module")
def pipeline() -> Iterator[Pipeline]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            "coarse_loftr_ros.matching.pipeline_settings.create_backend",
            lambda name, model, size, threads, *others: Device(model, size, threads),
        )
        made = Pipeline(
            pipeline_settings(VALUES),
            match_settings(VALUES),
            reference_policy(VALUES),
            (WIDTH, HEIGHT),
        )
        yield made
        made.close()


@pytest.fixture
def matcher(request, pipeline) -> Iterator[ActiveMatcher]:
    """With other parameters where a test names them."""
    pipeline.backend.fails = False
    made = ActiveMatcher(pipeline, **getattr(request, "param", {}))
    yield made
    made.close()
