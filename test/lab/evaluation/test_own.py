"""The package's own matcher, as the evaluations see it."""

import numpy as np
from scenes import motion, texture, view

from coarse_loftr_lab.evaluation.own import OwnMatcher
from coarse_loftr_ros.matching.frame_matching import MatchSettings
from coarse_loftr_ros.matching.pipeline import Pipeline
from coarse_loftr_ros.matching.pipeline_settings import PipelineSettings
from coarse_loftr_ros.matching.reference_policy import Consecutive


def test_inliers_alone_are_those_that_follow_the_scene_and_not_what_moves_in_front():
    scene, thing = texture(seed=1), texture(seed=2)
    images = []
    for x, shift in ((200, motion()), (240, motion(dx=5))):
        image = view(scene, shift)
        image[140:340, x : x + 200] = view(thing, motion())[140:340, 200:400]
        images.append(image)
    pipeline = Pipeline(PipelineSettings(threads=1), MatchSettings(), Consecutive())
    found = []
    for inliers in (False, True):
        matcher = OwnMatcher(pipeline, "own", inliers=inliers)
        found.append(matcher.match(*map(matcher.describe, images)))
    every, those = ((m.current_points - m.reference_points)[:, 0] for m in found)
    assert np.count_nonzero(np.abs(every - 40) < 3) > 30
    assert len(those) > 100 and np.abs(those - 5).max() < 3
