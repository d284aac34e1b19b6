"""`coarse-loftr train` and `export`, as a user calls them."""

import argparse
import dataclasses
import json
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import get_args, get_type_hints

import cv2
import numpy as np
import pytest

pytest.importorskip("torch", reason="PyTorch is not installed (make test-train)")

from coarse_loftr_lab.commands import evaluate, label
from coarse_loftr_lab.commands import train as command
from coarse_loftr_lab.network.checkpoint import load_checkpoint
from coarse_loftr_lab.training.settings import TrainingSettings, make_settings, read_yaml
from coarse_loftr_ros.backends.base import ModelFiles
from coarse_loftr_ros.commands import cli
from coarse_loftr_ros.commands.registry import make_parser
from coarse_loftr_ros.images.preprocessing import NetworkSize
from coarse_loftr_ros.recordings.rendered.scene import draw_landscape

SMALL = (
    *("--batch", "2", "--width", "96", "--height", "64", "--set", "validation_pairs=2"),
    *("--set", "network.stage_channels=[8,8,16,16]", "--set", "network.token_channels=16"),
    *("--set", "network.fine_channels=8"),
)


def run(*arguments: object) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "coarse_loftr_ros", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300)


def test_the_options_are_settings_of_the_same_kind() -> None:
    hints = get_type_hints(TrainingSettings)
    for name, kind, _ in command._OPTIONS:
        assert hints[name] in (kind, kind | None), name


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


def test_a_run_is_resumed_with_its_own_settings_and_never_overwritten(
    trained, capsys: pytest.CaptureFixture
) -> None:
    photographs, output = trained
    assert cli.main(["train", str(photographs), str(output), "--steps", "2", *SMALL]) == 2
    assert "--resume" in capsys.readouterr().err
    done = run("train", output, "--steps", "3", "--resume")
    assert done.returncode == 0, done.stderr
    assert "step 3" in done.stdout
    settings = read_yaml(output / "settings.yaml")
    assert (settings["steps"], settings["width"]) == (3, 96)
    assert settings["network"]["token_channels"] == 16


def test_a_config_file_is_changed_by_options(trained, tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text("steps: 5\nseed: 4\nnetwork: {heads: 2}\n")
    args = ["train", "--config", str(config), "images", str(tmp_path / "run")]
    args = make_parser().parse_args([*args, "--steps", "7", "--set", "network.heads=1"])
    values = command._values(args)
    assert values == {"steps": 7, "seed": 4, "network": {"heads": 1}, "images": ["images"]}


def test_a_run_from_another_checkpoint_says_what_it_took(
    trained, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    photographs, output = map(str, trained)
    deeper = ("--set", "network.stage_blocks=[1,1,1,1]", "--initialise", f"{output}/last.pt")
    run_folder = str(tmp_path / "run")
    assert cli.main(["train", photographs, run_folder, "--steps", "1", *SMALL, *deeper]) == 0
    assert "new here: stage4.1" in capsys.readouterr().out


def test_the_report_of_a_run_is_written_again(trained, capsys: pytest.CaptureFixture) -> None:
    report = trained[1] / "report.html"
    report.unlink(missing_ok=True)
    assert cli.main(["report", str(trained[1])]) == 0
    assert capsys.readouterr().out.strip() == str(report)
    assert report.is_file()


def test_what_is_no_run_has_no_report(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    assert cli.main(["report", str(tmp_path)]) == 2
    assert "is no run folder" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "word"),
    [
        (("--width", "100"), "multiple of 32"),
        (("--set", "network.colour=3"), "token_channels"),
        (("--set", "network.token_channels=many"), "many"),
        (("--set", "network.stage_channels=[8,8]"), "takes 4 values"),
        (("--set", "steps"), "NAME=VALUE"),
        (("--set", "steps.more=3"), "steps has no settings within it"),
        (("--config", "absent.yaml"), "absent.yaml"),
        (("--resume",), "nothing to resume"),
        (("--batch", "3", "--accumulate", "2"), "multiple of 2"),
        (("--device", "tpu"), "auto, cpu or cuda"),
        (("--set", "distillation.teacher=absent.pt"), "there is no file absent.pt"),
        (("--initialise", "absent.pt"), "absent.pt"),
    ],
)
def test_bad_options_are_sentences(
    trained, tmp_path: Path, capsys: pytest.CaptureFixture, options, word: str
) -> None:
    options = ("--steps", "10", *options)
    assert cli.main(["train", str(trained[0]), str(tmp_path / "run"), *options]) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert word in line
    assert not (tmp_path / "run").exists()


def test_the_settings_of_distillation_ask_for_a_teacher(
    repository: Path, trained, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    config = str(repository / "lab" / "config" / "distil.yaml")
    run_folder = tmp_path / "run"
    assert cli.main(["train", str(trained[0]), str(run_folder), "--config", config]) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert "distillation.teacher is None; it must be a path" in line
    assert not run_folder.exists()


def test_a_folder_that_is_not_there_is_a_sentence(tmp_path: Path, capsys) -> None:
    assert cli.main(["train", str(tmp_path / "absent"), str(tmp_path / "run")]) == 2
    assert "absent is not a folder" in capsys.readouterr().err


def names_of(kind: type) -> set[str]:
    """Dotted names of all settings within a dataclass."""
    found = set()
    for name, hint in get_type_hints(kind).items():
        inner = [part for part in (hint, *get_args(hint)) if dataclasses.is_dataclass(part)]
        found.add(name)
        found |= {f"{name}.{more}" for part in inner for more in names_of(part)}
    return found


def written_names(values: dict, before: str = "") -> set[str]:
    """Dotted names of all keys of a settings file."""
    found = set()
    for name, value in values.items():
        found.add(before + name)
        if isinstance(value, dict):
            found |= written_names(value, f"{before}{name}.")
    return found


def test_the_settings_files_together_hold_every_setting_with_a_comment(repository: Path) -> None:
    folder = repository / "lab" / "config"
    fast, distil = (read_yaml(folder / f"{name}.yaml") for name in ("fast", "distil"))
    elsewhere = {"output", "images"}  # of the command line
    names = names_of(TrainingSettings) - elsewhere
    within = {name for name in names if name.startswith(("sequences.", "network.pruned."))}
    assert written_names(fast) | written_names(distil) == names - within
    text = "".join((folder / f"{name}.yaml").read_text() for name in ("fast", "distil"))
    for name in within:
        assert f"#   {name.rpartition('.')[2]}:" in text
    for line in (folder / "fast.yaml").read_text().splitlines():
        name = line.partition(":")[0].strip()
        if line and not line.startswith("#") and not line.endswith(":"):
            assert "#" in line, f"{name} has no comment"


@pytest.mark.parametrize("name", ["fast", "distil"])
def test_every_settings_file_makes_settings(repository: Path, trained, name: str) -> None:
    values = read_yaml(repository / "lab" / "config" / f"{name}.yaml")
    if name == "distil":  # which has no teacher of its own
        values["distillation"]["teacher"] = "fast"
    made = make_settings({**values, "images": [str(trained[0])]}, trained[1] / "none")
    assert made.part(1) >= 1
    assert made.network.token_channels % made.network.heads == 0


def test_the_guide_names_files_settings_and_commands_that_exist(repository: Path) -> None:
    text = (repository / "docs" / "training.md").read_text()
    for link in re.findall(r"\]\(([^)#]+)\)", text):
        assert (repository / "docs" / link).exists(), link
    names = names_of(TrainingSettings)
    for name in re.findall(r"--set ([a-z_.]+)=", text):
        assert name in names, name
    for name in re.findall(r"^- `([a-z_]+)`", text, re.MULTILINE):
        assert name in names, name
    options = {"--" + name.replace("_", "-") for name, *_ in command._OPTIONS}
    options |= {"--config", "--resume", "--set", "--model", "--nproc_per_node", "--logdir"}
    options |= {"--images", "--batch", "--against"}
    for name in ("label", "evaluate odometry"):
        options |= options_of(name)
    assert set(re.findall(r"(--[a-z][a-z_-]+)", text)) <= options


def options_of(name: str) -> set[str]:
    """The options of a command of the guide that trains nothing."""
    first, *kind = name.split()
    parsers = argparse.ArgumentParser().add_subparsers()
    parser = {"label": label, "evaluate": evaluate}[first].add_parser(parsers)
    for word in kind:
        (kinds,) = (a for a in parser._actions if isinstance(a, argparse._SubParsersAction))
        parser = kinds.choices[word]
    return {option for action in parser._actions for option in action.option_strings}


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


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_run_after_the_step_at_hand_and_saves_it(trained, tmp_path, number) -> None:
    output = tmp_path / "run"
    words = ["train", trained[0], output, "--steps", 100_000, *SMALL, "--set", "log_every=1"]
    words += ["--checkpoint-every", 100_000, "--validate-every", 100_000]
    command = [sys.executable, "-m", "coarse_loftr_ros", *map(str, words)]
    running = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    try:
        lines = output / "training.jsonl"
        while not (lines.exists() and lines.read_text().count("\n") >= 3):
            assert running.poll() is None
            time.sleep(0.05)
        running.send_signal(number)
        said, _ = running.communicate(timeout=60)
    finally:
        running.kill()
    assert running.returncode == 128 + number
    steps = lines.read_text().count("\n")
    assert f"{number.name} at step {steps}: {output}/last.pt is saved" in said
    saved = load_checkpoint(output / "last.pt")
    assert saved.step == steps and saved.training is not None
    if number != signal.SIGINT:
        return
    done = run("train", output, "--steps", steps + 1, "--resume")
    assert done.returncode == 0 and f"step {steps + 1}" in done.stdout, done.stderr


def test_a_run_with_an_end_keeps_to_it_lets_the_rate_fall_and_exports(trained, tmp_path) -> None:
    output, minutes = tmp_path / "night", 0.15
    words = (*SMALL, "--steps", 100_000, "--set", "warmup=1", "--set", "log_every=1")
    done = run("train", trained[0], output, "--max-minutes", minutes, *words)
    assert done.returncode == 0, done.stderr
    steps = [json.loads(line) for line in (output / "training.jsonl").open()]
    # Of the steps alone: how long PyTorch takes to load is the machine's.
    assert sum(2 / step["pairs_per_second"] for step in steps) < 60 * minutes + 2
    rates = [step["learning_rate"] for step in steps]
    assert rates[len(rates) // 4] == max(rates) and rates[-1] < 0.1 * max(rates)
    assert rates == sorted(rates[:2]) + sorted(rates[2:], reverse=True)
    assert load_checkpoint(output / "last.pt").step == len(rates)
    assert json.loads((output / "final.json").read_text())["step"] == len(rates)
    assert ModelFiles.load(output / "model").name == "night"


def test_a_run_is_released_with_its_card(trained, repository, tmp_path) -> None:
    photographs, output, folder = trained[0], tmp_path / "run", tmp_path / "robot"
    config = repository / "lab/config/fast.yaml"
    words = ("--initialise", "fast", "--learning-rate", "1e-6", "--steps", 1, *SMALL[:6])
    done = run("train", photographs, output, "--config", config, *words, *SMALL[6:8])
    assert done.returncode == 0, done.stderr
    few = ("--pairs", 8, "--samples", 4, "--threads", 1, "--network-pixels", 256 * 192)
    done = run("release", output, folder, *few)
    assert done.returncode == 0, done.stdout + done.stderr
    model = ModelFiles.load(folder)
    assert model.name == "robot" and model.encode_int8 is not None and len(model.calibration) > 2
    card = (folder / "README.md").read_text()
    assert card.startswith("# Model card: robot\n")
    for text in ("1 steps of 2 pairs, 96x64 px", model.sha256, "coarse_recall", str(photographs)):
        assert text in card
    assert "| robot int8 |" in card and "Random homographies, 8 pairs:" in card
    assert all(line.count("|") == 3 for line in card.splitlines()[3:14])


def test_a_release_of_several_folders_asks_for_one(trained, tmp_path, capsys) -> None:
    output = tmp_path / "run"
    shutil.copytree(trained[1], output)
    settings = read_yaml(output / "settings.yaml") | {"images": ["a", "b"]}
    (output / "settings.yaml").write_text(json.dumps(settings))
    assert cli.main(["release", str(output), str(tmp_path / "model")]) == 2
    assert "photographs are a, b: give one folder with --images" in capsys.readouterr().err
    assert cli.main(["release", str(tmp_path / "none"), str(tmp_path / "model")]) == 2
    assert "last.pt does not exist" in capsys.readouterr().err


def test_what_is_no_checkpoint_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    for name, content in (
        ("text.pt", b"no checkpoint"),
        ("empty.pt", b""),
        ("photo.pt", b"\x89PNG\r\n\x1a\n"),
    ):
        (tmp_path / name).write_bytes(content)
        assert cli.main(["export", str(tmp_path / name), str(tmp_path / "model")]) == 2
        (line,) = capsys.readouterr().err.strip().splitlines()
        assert line.endswith(
            f"{name} is no checkpoint of this project, such as the last.pt of a run"
        )
    weights = tmp_path / "array.pt"
    np.save(weights.with_suffix(".npy"), np.zeros(3))
    weights.with_suffix(".npy").rename(weights)
    assert cli.main(["export", str(weights), str(tmp_path / "model")]) == 2
