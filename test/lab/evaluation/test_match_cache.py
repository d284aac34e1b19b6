"""Matches are computed once, and anew when anything that they depend on has changed."""

import numpy as np
import pytest

from coarse_loftr_lab.evaluation.match_cache import CachedMatcher, default_folder
from coarse_loftr_lab.evaluation.own import OwnMatcher
from coarse_loftr_ros.features.orb import Orb
from coarse_loftr_ros.features.pair_matcher import PointMatches
from coarse_loftr_ros.files.digest import files_digest
from coarse_loftr_ros.matching.frame_matching import MatchSettings
from coarse_loftr_ros.matching.pipeline import Pipeline
from coarse_loftr_ros.matching.pipeline_settings import PipelineSettings
from coarse_loftr_ros.matching.reference_policy import Consecutive

IMAGES = [np.full((4, 6), level, np.uint8) for level in range(3)]


class CountedMatcher:
    """Answers with the levels of both images, and counts how often it is asked."""

    name = "counting"

    def __init__(self, **settings):
        self.settings = settings
        self.described, self.matched = [], 0

    def describe(self, image):
        self.described.append(int(image[0, 0]))
        return int(image[0, 0])

    def match(self, reference, current):
        self.matched += 1
        points = np.array([[reference, 0.5], [current, 1.5]], np.float32)
        return PointMatches(points, points + 1, np.array([0.25, 1.0], np.float32))


def ask(matcher, folder, first=0, second=1):
    cached = CachedMatcher(matcher, folder)
    return cached, cached.match(cached.describe(IMAGES[first]), cached.describe(IMAGES[second]))


def same(one, two):
    names = ("reference_points", "current_points", "confidence")
    return all(np.array_equal(getattr(one, n), getattr(two, n)) for n in names)


def test_the_second_run_reads_what_the_first_has_computed(tmp_path):
    first, again = CountedMatcher(), CountedMatcher()
    cached, matches = ask(first, tmp_path)
    read_by, read = ask(again, tmp_path)
    assert same(matches, read) and read.reference_points.dtype == np.float32
    assert (first.matched, again.matched, again.described) == (1, 0, [])
    assert (cached.computed, cached.found, read_by.computed, read_by.found) == (1, 0, 0, 1)


def test_no_match_at_all_is_an_answer_too(tmp_path):
    class MatchesNothing(CountedMatcher):
        def match(self, reference, current):
            self.matched += 1
            return PointMatches.none()

    ask(MatchesNothing(), tmp_path)
    again = MatchesNothing()
    assert len(ask(again, tmp_path)[1]) == 0 and again.matched == 0


@pytest.mark.parametrize("pair", [(1, 0), (0, 2), (2, 1)])
def test_other_images_and_the_other_direction_are_other_pairs(tmp_path, pair):
    ask(CountedMatcher(), tmp_path)
    matcher = CountedMatcher()
    ask(matcher, tmp_path, *pair)
    assert matcher.matched == 1


def test_images_of_equal_bytes_and_another_shape_are_other_images(tmp_path):
    cached = CachedMatcher(CountedMatcher(), tmp_path)
    tall = cached.describe(IMAGES[0].reshape(6, 4))
    assert tall.digest != cached.describe(IMAGES[0]).digest


def test_other_settings_are_another_method(tmp_path):
    ask(CountedMatcher(ratio=0.8), tmp_path)
    other = CountedMatcher(ratio=0.9)
    ask(other, tmp_path)
    assert other.matched == 1


@pytest.mark.parametrize("damage", [b"", b"PK\x03\x04 and then nothing", None])
def test_a_damaged_entry_is_computed_anew_and_repaired(tmp_path, damage):
    _, matches = ask(CountedMatcher(), tmp_path)
    (entry,) = tmp_path.rglob("*.npz")
    if damage is None:
        np.savez(entry, reference_points=np.zeros((3, 2)), current_points=np.zeros((2, 2)),
                 confidence=np.zeros(3))  # fmt: skip
    else:
        entry.write_bytes(damage)
    repaired, after = CountedMatcher(), CountedMatcher()
    assert same(ask(repaired, tmp_path)[1], matches) and repaired.matched == 1
    assert same(ask(after, tmp_path)[1], matches) and after.matched == 0
    assert not list(tmp_path.rglob("*.tmp"))


def test_an_image_that_meets_two_others_is_described_once(tmp_path):
    matcher = CountedMatcher()
    cached = CachedMatcher(matcher, tmp_path)
    reference = cached.describe(IMAGES[0])
    for image in IMAGES[1:]:
        cached.match(reference, cached.describe(image))
    assert matcher.described == [0, 1, 2]


def test_the_settings_of_ours_follow_thresholds_and_not_threads():
    def settings(threads=1, **match):
        pipeline = Pipeline(
            PipelineSettings(threads=threads), MatchSettings(**match), Consecutive()
        )
        return OwnMatcher(pipeline, "own").settings

    assert settings(threads=2) == settings()
    assert settings(confidence_threshold=0.3) != settings()


def test_the_settings_of_baselines_hold_their_thresholds_and_code():
    assert Orb(ratio=0.8).settings != Orb(ratio=0.9).settings
    assert len(Orb().settings["code"]) == 20


def test_a_digest_follows_the_contents_of_files_and_not_their_names(tmp_path):
    files = [tmp_path / name for name in "abc"]
    for file, content in zip(files, ("x", "x", "y"), strict=True):
        file.write_text(content)
    a, b, c = ([file] for file in files)
    assert files_digest(a) == files_digest(b) != files_digest(c)
    assert files_digest(a + c) != files_digest(c + a)


def test_the_default_folder_is_the_users(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_folder() == tmp_path / "coarse_loftr_ros/evaluation"
