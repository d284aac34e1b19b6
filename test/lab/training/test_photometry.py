"""Photometric changes look like a camera's: bounded, repeatable, each doing what it says."""

import dataclasses

import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed (make test-train)")

import cv2
import numpy as np
from scenes import texture

from coarse_loftr_lab.training.photometry import (
    Disturbance,
    disturb,
    draw_disturbance,
    stack_disturbances,
)

IMAGE = torch.from_numpy(texture(160, 128).astype(np.float32) / 255)[None, None]


def apply(*disturbances, seed=0):
    image = IMAGE.expand(len(disturbances), -1, -1, -1).clone()
    generator = torch.Generator().manual_seed(seed)
    return disturb(image, stack_disturbances(list(disturbances)), generator)


def nothing(**changes) -> Disturbance:
    still = draw_disturbance(np.random.default_rng(0), strength=0.0)
    changes = {name: np.asarray(value, np.float32) for name, value in changes.items()}
    return dataclasses.replace(still, **changes)


def test_without_strength_only_rounding_is_left():
    assert (apply(nothing()) - IMAGE).abs().max() < 1 / 255


def test_the_full_range_stays_an_8_bit_image_and_changes_it():
    rng = np.random.default_rng(0)
    changed = apply(*(draw_disturbance(rng) for _ in range(40)))
    assert changed.min() >= 0 and changed.max() <= 1 and torch.isfinite(changed).all()
    torch.testing.assert_close(changed * 255, (changed * 255).round())
    assert (changed - IMAGE).abs().mean() > 0.05


def test_the_same_seed_gives_the_same_noise():
    noisy = nothing(noise=[0.05, 0.05, 0.01])
    assert torch.equal(apply(noisy), apply(noisy))
    assert not torch.equal(apply(noisy), apply(noisy, seed=1))


def test_noise_has_the_deviation_asked_for():
    difference = apply(nothing(noise=[0.03, 0, 0])) - IMAGE
    inner = (IMAGE > 0.2) & (IMAGE < 0.8)
    assert 0.027 < float(difference[inner].std()) < 0.033
    rows = apply(nothing(noise=[0, 0, 0.02])) - IMAGE
    assert float(rows[inner].std()) > 0.015
    assert float(rows[0, 0, 60].std()) < 0.005


def test_motion_blur_blurs_along_its_direction_alone():
    kernel = np.zeros((11, 11), np.float32)
    kernel[5] = 1 / 11
    blurred = apply(nothing(kernel=kernel))[0, 0].numpy()
    expected = cv2.blur(IMAGE[0, 0].numpy(), (11, 1), borderType=cv2.BORDER_REFLECT_101)
    assert np.abs(blurred - expected).max() < 2 / 255


def test_jpeg_is_close_to_the_real_coder_s():
    coded = apply(nothing(jpeg=1.0))[0, 0].numpy()
    levels = (IMAGE[0, 0].numpy() * 255).round().astype(np.uint8)
    _, file = cv2.imencode(".jpg", levels, [cv2.IMWRITE_JPEG_QUALITY, 50])
    real = cv2.imdecode(file, cv2.IMREAD_GRAYSCALE) / 255
    own_error, real_error = (np.abs(image - levels / 255).mean() for image in (coded, real))
    assert np.abs(coded - real).mean() < 0.3 * real_error
    assert own_error == pytest.approx(real_error, rel=0.1)


@pytest.mark.parametrize(
    ("change", "brighter"),
    [
        ({"shadow": [1, 0, 0, 0.6]}, False),
        ({"vignette": 0.5}, False),
        ({"gamma": 1.5}, False),
        ({"gain": 0.2}, False),
        ({"offset": 0.1}, True),
        ({"highlight": [0.5, 0.5, 0.1, 1.0]}, True),
        ({"streaks": [2e-3, 0.4]}, True),
    ],
)
def test_each_change_goes_its_way(change, brighter):
    difference = float((apply(nothing(**change)) - IMAGE).mean())
    assert difference > 0.005 if brighter else difference < -0.005
