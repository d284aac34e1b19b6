"""The Makefile's promises that do not need an installation to be checked."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(not shutil.which("make"), reason="make is not installed")

SOURCED = {
    "ROS_DISTRO": "jazzy",
    "PYTHONPATH": "/opt/ros/jazzy/lib/python3.12/site-packages",
    "AMENT_PREFIX_PATH": "/opt/ros/jazzy",
    "LD_LIBRARY_PATH": "/opt/ros/jazzy/lib",
}


def recipe_environment(repository: Path, **variables: str) -> tuple[dict[str, str], str]:
    """The variables a recipe of the Makefile sees, and what make says before it."""
    make = subprocess.run(
        ["make", "--eval", "probe: ; @echo ---; env", "probe"],
        cwd=repository,
        env={"PATH": os.environ["PATH"], **variables},
        capture_output=True,
        text=True,
        check=True,
    )
    said, _, seen = make.stdout.partition("---\n")
    return dict(line.split("=", 1) for line in seen.splitlines() if "=" in line), said


def test_a_sourced_ros_installation_does_not_reach_the_recipes(repository):
    seen, said = recipe_environment(repository, **SOURCED)
    assert not SOURCED.keys() & seen.keys()
    assert "ROS jazzy is sourced" in said


def test_without_ros_the_users_own_variables_are_kept(repository):
    seen, said = recipe_environment(repository, LD_LIBRARY_PATH="/opt/own/lib")
    assert seen["LD_LIBRARY_PATH"] == "/opt/own/lib"
    assert said == ""


def test_the_mark_of_another_environment_of_wheels_is_removed(repository):
    seen, _ = recipe_environment(repository, _ROS_WHEELS_BOOTSTRAP_COMPLETE="1")
    assert "_ROS_WHEELS_BOOTSTRAP_COMPLETE" not in seen


def test_help_lists_every_target_a_user_calls(repository):
    phony = re.search(r"^\.PHONY: (.*)", (repository / "Makefile").read_text(), re.MULTILINE)[1]
    targets = {target for target in phony.split() if not target.startswith("check-")}
    listing = subprocess.run(
        ["make", "help"],
        cwd=repository,
        env={"PATH": os.environ["PATH"]},  # not the MAKEFLAGS of the make that runs the tests
        capture_output=True,
        text=True,
        check=True,
    )
    assert {line.split()[0] for line in listing.stdout.splitlines()} == targets
