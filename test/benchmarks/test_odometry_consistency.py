"""Covariances are those of the errors, in every mode and with both pairings."""

import importlib.util
import sys

import pytest

from coarse_loftr_ros.recordings.rendered.flight import Flight
from coarse_loftr_ros.recordings.rendered.scene import draw_landscape
from coarse_loftr_ros.recordings.rendered.street import Street

# The mean of some thirty images scatters by 0.6 about the mean of many, which is 4 to 9.
LEAST, MOST = 3.0, 10.0


@pytest.fixture(scope="module")
def benchmark(repository):
    path = repository / "benchmarks/odometry_consistency.py"
    spec = importlib.util.spec_from_file_location("odometry_consistency", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_through_a_street_errors_of_stereo_and_mono_are_what_the_covariances_say(benchmark):
    street = Street(seconds=3.6, rate=10.0, width=320, height=240, seed=2)
    driven = [benchmark.matched_street(street, threads=1)]
    found = benchmark.measure({"stereo": driven, **dict.fromkeys(benchmark.MONO, driven)})
    assert len(found) == 8
    for name, consistency in found.items():
        assert (consistency.images, consistency.lost) == (35, 0), name
        assert LEAST < consistency.mean < MOST, name


def test_over_a_landscape_errors_of_planar_odometry_are_what_the_covariances_say(benchmark):
    flights = [
        Flight(draw_landscape(1400, 1100), seconds=1.0),
        Flight(draw_landscape(1400, 1100, seed=5), seconds=1.0, altitude=0.9),
    ]
    flown = [benchmark.matched_flight(flight, threads=1) for flight in flights]
    found = benchmark.measure({"planar": flown})
    assert len(found) == 2
    for name, consistency in found.items():
        assert (consistency.images, consistency.lost) == (28, 0), name
        assert LEAST < consistency.mean < MOST, name
