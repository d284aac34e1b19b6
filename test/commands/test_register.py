"""`coarse-loftr register` on files, as a user calls it, and the pictures that it draws."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from coarse_loftr_ros.matching import registration
from coarse_loftr_ros.recordings.rendered.flight import Flight

FAST = ("--threads", "1")


@pytest.fixture(scope="module")
def files(flight: Flight, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two frames of the flight; the second in colour and with less contrast."""
    folder = tmp_path_factory.mktemp("register")
    frames = list(flight.frames())
    cv2.imwrite(str(folder / "a.png"), frames[0].image)
    tinted = frames[4].image[..., None] * np.array([0.5, 0.8, 0.9]) + 20
    cv2.imwrite(str(folder / "b.png"), tinted.astype(np.uint8))
    return folder / "a.png", folder / "b.png"


@pytest.fixture(scope="module")
def truth(flight: Flight) -> registration.Registration:
    """The same frames laid on each other by the true homography."""
    frames = list(flight.frames())
    homography = flight.between(frames[0].stamp, frames[4].stamp)
    return registration.register(frames[0].image, frames[4].image, homography)


def test_the_warped_image_lies_on_the_reference(run_tool, files, tmp_path: Path) -> None:
    names = [tmp_path / "new" / f"{name}.png" for name in ("warped", "blend", "check", "less")]
    done = run_tool("register", *files, "-o", names[0], "--blend", names[1],
                    "--checkerboard", names[2], "--difference", names[3], *FAST)  # fmt: skip
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["status"] == "OK"
    assert report["correlation_after"] > 0.85 > report["correlation_before"] + 0.2
    assert 0.5 < report["overlap"] < 1
    warped, *pictures = (cv2.imread(str(name)) for name in names)
    assert {picture.shape for picture in (warped, *pictures)} == {(256, 320, 3)}
    assert np.ptp(warped.astype(int), axis=2).max() > 40, "the warped image keeps its colours"
    seen = warped.any(axis=2)
    # An agreeing difference is flat grey; what is not seen is no difference.
    less = pictures[2][..., 0].astype(int)
    assert np.abs(less - 128).mean() < 8
    assert (less[~cv2.dilate(seen.astype(np.uint8), np.ones((5, 5))).astype(bool)] == 128).all()


def test_images_that_do_not_match_are_refused_with_exit_code_1(
    run_tool, files, tmp_path: Path
) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (256, 320), np.uint8)
    cv2.imwrite(str(tmp_path / "noise.png"), noise)
    done = run_tool("register", files[0], tmp_path / "noise.png", "-o", tmp_path / "out.png", *FAST)
    assert done.returncode == 1
    assert done.stdout == ""
    assert len(done.stderr.strip().splitlines()) == 1
    assert "noise.png cannot be laid on" in done.stderr
    assert not (tmp_path / "out.png").exists()


def test_names_are_refused_before_anything_is_matched(refusal, files, tmp_path: Path) -> None:
    out = tmp_path / "out.png"
    for more, word in ((("--blend", out), "two pictures"), (("--blend", "b.txt"), "b.txt")):
        assert word in refusal("register", *files, "-o", out, *more)


def test_a_wrong_homography_shows_in_every_picture(flight: Flight, truth) -> None:
    frames = list(flight.frames())
    shift = np.array([[1, 0, 4.0], [0, 1, 0], [0, 0, 1]])
    homography = shift @ flight.between(frames[0].stamp, frames[4].stamp)
    wrong = registration.register(frames[0].image, frames[4].image, homography)
    assert wrong.correlation_after < truth.correlation_after - 0.1

    def colour(found: registration.Registration) -> float:
        return np.ptp(registration.blend(found).astype(int), axis=2).mean()

    def contrast(found: registration.Registration) -> float:
        return registration.difference(found).astype(float).std()

    assert colour(wrong) > 1.5 * colour(truth)
    assert contrast(wrong) > 1.5 * contrast(truth)


def test_a_checkerboard_shows_both_images_in_turns(truth) -> None:
    own = registration.checkerboard(truth) == truth.reference
    rows, columns = np.arange(256)[:, None] // 40, np.arange(320) // 40
    other = (rows + columns) % 2 == 1
    assert own[~other].all()
    assert own[other & ~truth.seen].all()
    assert own[other & truth.seen].mean() < 0.5


def test_an_image_laid_on_itself_is_the_same() -> None:
    image = np.random.default_rng(1).integers(0, 256, (40, 60), np.uint8)
    same = registration.register(image, image, np.eye(3))
    assert (same.warped == image).all()
    assert same.overlap == 1.0
    assert same.correlation_before == pytest.approx(1) == same.correlation_after
    assert (registration.difference(same) == 128).all()
    assert (np.ptp(registration.blend(same), axis=2) == 0).all()


def test_images_of_one_grey_have_no_correlation() -> None:
    flat = np.full((20, 30), 90, np.uint8)
    found = registration.register(flat, flat, np.eye(3))
    assert found.correlation_before is None and found.correlation_after is None
