"""`coarse-loftr train` and `export`, as a user calls them."""

import dataclasses
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip("torch", reason="PyTorch is not installed")

from coarse_loftr_ros.backends.base import ModelFiles
from coarse_loftr_ros.preprocessing import NetworkSize
from coarse_loftr_ros.tools import cli
from coarse_loftr_ros.tools import train as command
from coarse_loftr_ros.tools.scene import draw_landscape
from coarse_loftr_ros.training.trainer import TrainingSettings

SMALL = (
    *("--batch", "2", "--width", "96", "--height", "64", "--validation-pairs", "2"),
    *("--network", "stage_channels=8,8,16,16", "--network", "token_channels=16"),
    *("--network", "fine_channels=8"),
)


def run(*arguments: object) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "coarse_loftr_ros", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300)


def test_the_options_are_the_settings_with_their_defaults() -> None:
    fields = {
        field.name: field.default
        for field in dataclasses.fields(TrainingSettings)
        if field.name not in ("images", "output", "network", "mix")
    }
    assert {name: default for name, _, default, _ in command._OPTIONS} == fields


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A folder of drawn photographs, and the run of two steps on them."""
    folder = tmp_path_factory.mktemp("training")
    photographs, output = folder / "photographs", folder / "run"
    photographs.mkdir()
    for seed in range(24):
        picture = draw_landscape(260, 200, seed=seed)
        cv2.imwrite(str(photographs / f"{seed}.png"), picture)
    done = run("train", photographs, output, "--steps", "2", *SMALL)
    assert done.returncode == 0, done.stderr
    assert "step 2" in done.stdout and "coarse_recall" in done.stdout
    return photographs, output


def test_a_run_is_resumed_and_never_overwritten(trained) -> None:
    photographs, output = trained
    done = run("train", photographs, output, "--steps", "2", *SMALL)
    assert done.returncode == 2
    assert "--resume" in done.stderr and "Traceback" not in done.stderr
    done = run("train", photographs, output, "--steps", "3", "--resume", *SMALL)
    assert done.returncode == 0, done.stderr
    assert "step 3" in done.stdout


@pytest.mark.parametrize(
    ("options", "word"),
    [
        (("--width", "100"), "multiple of 32"),
        (("--network", "colour=3"), "token_channels"),
        (("--network", "token_channels=many"), "many"),
        (("--network", "stage_channels=8,8"), "takes 4 numbers"),
        (("--resume",), "nothing to resume"),
    ],
)
def test_bad_options_are_sentences(
    trained, tmp_path: Path, capsys: pytest.CaptureFixture, options, word: str
) -> None:
    assert cli.main(["train", str(trained[0]), str(tmp_path / "run"), *options]) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert word in line


@pytest.mark.parametrize("size", [None, "128x96"])
def test_an_export_is_checked_and_loads(trained, tmp_path: Path, size: str | None) -> None:
    folder = tmp_path / "model"
    options = ("--size", size) if size else ()
    done = run("export", trained[1] / "last.pt", folder, *options)
    assert done.returncode == 0, done.stdout + done.stderr
    lines = [line for line in done.stdout.splitlines() if "largest difference" in line]
    assert len(lines) == (1 if size else 4)
    assert all(0 <= float(line.split()[-1]) < 1e-3 for line in lines)
    model = ModelFiles.load(folder)
    assert model.name == "model"
    assert model.size == (NetworkSize(128, 96) if size else None)


def test_what_is_no_checkpoint_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    for name, content in (("text.pt", b"no checkpoint"), ("empty.pt", b"")):
        (tmp_path / name).write_bytes(content)
        assert cli.main(["export", str(tmp_path / name), str(tmp_path / "model")]) == 2
        (line,) = capsys.readouterr().err.strip().splitlines()
        assert name in line
    weights = tmp_path / "array.pt"
    np.save(weights.with_suffix(".npy"), np.zeros(3))
    weights.with_suffix(".npy").rename(weights)
    assert cli.main(["export", str(weights), str(tmp_path / "model")]) == 2
