"""A run's rate falls to zero at its end, which its steps, its time or a signal sets."""

import signal

import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed (make test-train)")

from coarse_loftr_lab.training.ending import StopRequest, TimePlan
from coarse_loftr_lab.training.settings import learning_rate_factor


def test_the_rate_rises_stays_and_falls_to_zero(settings, tmp_path):
    run = settings(tmp_path, steps=100, warmup=10, decay_share=0.3)
    rates = [learning_rate_factor(step, run) for step in range(101)]
    assert rates[0] == 0.1 and rates[9:70] == [1.0] * 61
    assert rates[85] == pytest.approx(0.5) and rates[100] == 0.0


def test_the_rate_falls_with_the_time_of_a_run_that_has_an_end(settings, tmp_path, monkeypatch):
    now = [0.0]
    monkeypatch.setattr("coarse_loftr_lab.training.ending.time.monotonic", lambda: now[0])
    run = settings(tmp_path, steps=1000, warmup=0, decay_share=0.5, max_minutes=10.0)
    plan = TimePlan(run)
    plan.validated(50.0)  # with saving and exporting, 80 s are kept for the end
    rates = {}
    for now[0] in (0.0, 250.0, 390.0, 519.0, 520.0, 900.0):
        rates[now[0]] = learning_rate_factor(3, run, plan.progress(3))
    assert (rates[0.0], rates[250.0], rates[390.0]) == (1.0, 1.0, 0.5)
    assert 0 < rates[519.0] < 0.01 and rates[520.0] == rates[900.0] == 0.0
    short = settings(tmp_path, steps=1000, warmup=300, decay_share=0.5, max_minutes=10.0)
    assert learning_rate_factor(149, short, progress=0.5) == 0.5  # still rising
    assert learning_rate_factor(250, short, progress=0.9) == pytest.approx(0.2)
    now[0] = 0.0
    assert plan.progress(1000) == 1.0  # the steps may be over before the time is
    with pytest.raises(ValueError, match="max_minutes is -1; it must be 0 or more"):
        settings(tmp_path, max_minutes=-1.0)


def test_one_request_to_stop_is_noted_and_another_ends_the_process(monkeypatch):
    now = [10.0]
    monkeypatch.setattr("coarse_loftr_lab.training.ending.time.monotonic", lambda: now[0])
    before = signal.getsignal(signal.SIGTERM)
    with StopRequest() as request:
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGTERM)  # passed on by a launcher
        assert request.number == signal.SIGTERM
        now[0] += 3.0
        with pytest.raises(SystemExit) as ended:
            signal.raise_signal(signal.SIGINT)
        assert ended.value.code == 130
    assert signal.getsignal(signal.SIGTERM) == before
