"""Fixtures of the tests of matching."""

import pytest

from coarse_loftr_ros.matching.frame_matching import MatchSettings
from coarse_loftr_ros.matching.pipeline import Pipeline
from coarse_loftr_ros.matching.pipeline_settings import PipelineSettings
from coarse_loftr_ros.matching.reference_policy import Consecutive


@pytest.fixture(scope="module")
def loaded_pipeline():
    return Pipeline(PipelineSettings(threads=1), MatchSettings(), Consecutive())


@pytest.fixture
def pipeline(loaded_pipeline):
    """As new, without loading the network again."""
    loaded_pipeline.reset()
    loaded_pipeline.policy = Consecutive()
    loaded_pipeline.match_settings = MatchSettings()
    return loaded_pipeline
