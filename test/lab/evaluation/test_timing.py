"""Methods take turns on the same frames, and ratios are formed round by round."""

import numpy as np
import pytest
from scenes import motion, texture, view

from coarse_loftr_lab.evaluation.baselines.akaze import akaze_is_available
from coarse_loftr_lab.evaluation.methods import BaselineWeights, baselines
from coarse_loftr_lab.evaluation.timing import Spread, Subject, pair_subject, time_methods
from coarse_loftr_ros.features.orb import Orb

FRAMES = [np.full((4, 4), level, np.uint8) for level in range(3)]


def test_frames_go_forth_and_back_and_the_beginning_of_a_turn_is_not_counted():
    seen = []

    def step(image):
        seen.append(int(image[0, 0]))
        return {"total": float(len(seen))}

    (times,) = time_methods([Subject("a", step)], FRAMES, rounds=2)
    assert seen == [0, 1, 2, 1] * 4 + [0, 1]
    # Two turns of six after one that is not counted: the medians of 9..12 and of 15..18.
    assert times.stages["total"] == Spread.of([10.5, 16.5])


def test_a_drifting_machine_does_not_bend_the_ratio():
    clock = 0.0

    def method(cost):
        def step(image):
            nonlocal clock
            clock += 1.0
            return {"total": cost * (100.0 + clock)}

        return step

    own, slow = (Subject(name, method(cost)) for name, cost in (("own", 1.0), ("slow", 3.0)))
    times = time_methods([own, slow], FRAMES, rounds=20)
    assert times[0].ratios == {"own": Spread(1.0, 1.0, 1.0)}
    assert times[1].ratios["own"].median == pytest.approx(3.0, rel=0.05)
    assert times[1].stages["total"].high > 2 * times[1].stages["total"].low


def test_ratios_refer_to_each_of_our_models():
    costs = {"fast": 2.0, "deep": 4.0, "other": 8.0}
    subjects = [Subject(name, lambda image, c=cost: {"total": c}) for name, cost in costs.items()]
    *_, other = time_methods(subjects, FRAMES, rounds=2, references=2)
    assert {name: spread.median for name, spread in other.ratios.items()} == {
        "fast": 4.0,
        "deep": 2.0,
    }


def test_a_baseline_describes_each_frame_once():
    described = []

    class Counting(Orb):
        def describe(self, image):
            described.append(1)
            return super().describe(image)

    frames = [view(texture(), motion(5.0 * k), seed=k) for k in range(3)]
    (times,) = time_methods([pair_subject("ORB", Counting())], frames, rounds=1)
    assert len(described) == 12
    assert list(times.stages) == ["encode", "match", "homography", "total"]


@pytest.mark.parametrize(("frames", "rounds"), [(FRAMES[:1], 3), (FRAMES, 0)])
def test_nothing_to_measure_is_refused(frames, rounds):
    with pytest.raises(ValueError, match="at least 2 and 1"):
        time_methods([], frames, rounds)


def test_networks_are_compared_only_where_their_weights_are(tmp_path):
    assert BaselineWeights.below(tmp_path) == BaselineWeights()
    (tmp_path / "xfeat").mkdir()
    (tmp_path / "xfeat" / "xfeat.onnx").touch()
    assert BaselineWeights.below(tmp_path).xfeat == tmp_path / "xfeat" / "xfeat.onnx"
    names = [method.name for method in baselines(BaselineWeights())]
    assert names[:2] == ["ORB 2000", "SIFT 2048"]
    assert names[2:] == (["AKAZE 2048"] if akaze_is_available() else [])
