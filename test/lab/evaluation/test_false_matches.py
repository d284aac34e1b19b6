"""Images that have nothing in common: how they are drawn, and how their statuses are counted."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from scenes import texture

from coarse_loftr_lab.evaluation.data.unrelated_pairs import (
    TEXTURES,
    RepeatedTextures,
    UnrelatedPhotographs,
)
from coarse_loftr_lab.evaluation.false_matches import evaluate_false_matches
from coarse_loftr_lab.evaluation.own import OwnMatcher
from coarse_loftr_lab.evaluation.report_tables import report_tables
from coarse_loftr_ros.files.json_text import to_json
from coarse_loftr_ros.matching.frame_matching import MatchSettings
from coarse_loftr_ros.matching.pipeline import Pipeline
from coarse_loftr_ros.matching.pipeline_settings import PipelineSettings
from coarse_loftr_ros.matching.reference_policy import Consecutive
from coarse_loftr_ros.matching.result import Status
from coarse_loftr_ros.matching.search import SearchSettings

MATCH = MatchSettings(search=SearchSettings(views=11))


def photographs(folder, count):
    for number in range(count):
        cv2.imwrite(str(folder / f"{number}.png"), texture(500, 300, seed=number))
    return UnrelatedPhotographs(folder, 20, keep=lambda path: True)


def test_a_pair_shows_two_photographs_and_is_the_same_whenever_it_is_asked(tmp_path):
    pairs = photographs(tmp_path, 3)
    for index in (0, 7, 19):
        pair = pairs[index]
        assert pair.reference.shape == pair.current.shape == (480, 640)
        assert len(set(pair.name.split())) == 2
        assert np.array_equal(pair.current, pairs[index].current)
    assert len({pairs[index].name for index in range(20)}) > 3


def test_a_single_photograph_makes_no_pair(tmp_path):
    with pytest.raises(ValueError, match="has one photograph to use; a pair needs two"):
        photographs(tmp_path, 1)


def test_walls_of_all_kinds_are_drawn_worn_and_clean_each_with_a_period_of_its_own():
    pairs = RepeatedTextures(20)
    names = [pairs[index].name.rpartition(" ")[0] for index in range(10)]
    assert set(names) == {f"{each}, {state}" for each in TEXTURES for state in ("worn", "clean")}
    pair = pairs[8]
    assert pair.reference.shape == (480, 640) and pair.reference.dtype == np.uint8
    assert np.array_equal(pair.reference, pairs[8].reference)
    alike = np.corrcoef(pair.reference.ravel(), pair.current.ravel())[0, 1]
    assert abs(alike) < 0.5


@pytest.mark.parametrize("count", [0, -1])
def test_counts_that_make_no_pair_are_refused(count, tmp_path):
    with pytest.raises(ValueError, match=f"count is {count}; it must be at least 1"):
        RepeatedTextures(count)
    with pytest.raises(ValueError, match=f"count is {count}; it must be at least 1"):
        UnrelatedPhotographs(tmp_path, count)


class Statuses:
    """A method that finds statuses in turn."""

    name = "in turn"

    def __init__(self, *statuses):
        self.statuses = list(statuses)

    def status(self, reference, current):
        return self.statuses.pop(0)


def test_statuses_are_counted_and_pairs_that_are_called_ok_are_named(tmp_path):
    method = Statuses(Status.LOST, Status.OK, Status.DEGRADED, Status.DEGRADED)
    steps = []
    report = evaluate_false_matches(
        [method], [RepeatedTextures(4)], lambda done, steps_in_all, what: steps.append(done)
    )
    (found,) = report.results
    assert (found.pairs, found.ok, found.degraded) == (4, 1, 2)
    assert found.names == ("bricks, worn 1",)
    assert 0.25 < found.high < 0.75
    assert steps == [1, 2, 3, 4]
    (table,) = report_tables("unrelated", to_json(report)).values()
    assert "bricks, worn 1" in table.text()


def test_walls_that_repeat_themselves_are_not_called_ok():
    settings = PipelineSettings(backend="openvino", threads=1)
    method = OwnMatcher(Pipeline(settings, MATCH, Consecutive()), "fast")
    (found,) = evaluate_false_matches([method], [RepeatedTextures(10, seed=1)]).results
    assert (found.ok, found.names) == (0, ())
