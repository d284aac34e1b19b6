"""The commands of docs/tutorial.md do what it says they do."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

NUMBER = re.compile(r"\d+(?:\.\d+)?")


@pytest.fixture(scope="module")
def steps(repository) -> list[tuple[str, str]]:
    """Each command, and what it prints according to the document."""
    text = (repository / "docs/tutorial.md").read_text()
    blocks = re.findall(r"```bash\n(.*?)```\n(?:\n```text\n(.*?)```)?", text, re.DOTALL)
    assert len(blocks) == 4
    return blocks


@pytest.fixture(scope="module")
def followed(steps, shared_dir, tmp_path_factory) -> tuple[Path, list[str]]:
    """The folder in which all commands were run in order, and what each printed."""
    pytest.importorskip("evo", reason="evo is not installed (`make test` installs it)")
    sequence = shared_dir / "data/dev/vo/kitti06_stereo_51"
    if not sequence.is_dir():
        pytest.skip(f"needs the KITTI sequence of the reference data, {sequence}")
    folder = tmp_path_factory.mktemp("tutorial")
    (folder / "kitti").symlink_to(sequence)
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(folder),  # evo keeps its settings there
    }
    printed = []
    for command, _ in steps:
        run = subprocess.run(
            ["bash", "-euc", command],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert run.returncode == 0, run.stdout + run.stderr
        printed.append(run.stdout)
    return folder, printed


def test_they_print_the_lines_that_are_shown_with_about_these_numbers(steps, followed):
    for (_, shown), printed in zip(steps, followed[1], strict=True):
        for line in shown.splitlines():
            number = r"(\d+(?:\.\d+)?)"
            pattern = number.join(re.escape(part) for part in NUMBER.split(line))
            found = re.search(f"^{pattern}", printed, re.MULTILINE)
            assert found, f"{line!r} is not in\n{printed}"
            if " ms" in line:  # the time of another machine
                continue
            values = [float(value) for value in NUMBER.findall(line)]
            assert [float(value) for value in found.groups()] == pytest.approx(values, rel=0.3)


def test_every_file_that_they_write_is_there(steps, followed):
    folder, _ = followed
    commands = " ".join(command for command, _ in steps)
    for name in ("matches.json", "matches.png", "path.png", "drive.mcap"):
        assert name in commands
        assert (folder / name).stat().st_size > 1000
    assert np.loadtxt(folder / "path.kitti").shape == (51, 12)
    assert np.loadtxt(folder / "path.tum").shape == (51, 8)


def test_the_plot_and_the_overlay_are_pictures(followed):
    for name in ("matches.png", "path.png"):
        picture = cv2.imread(str(followed[0] / name))
        assert picture is not None and picture.std() > 5
