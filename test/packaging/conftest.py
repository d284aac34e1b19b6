"""A copy of the checkout as a user clones it, and the environment in which it is built."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

# What git does not carry, so what a clone does not have.
NOT_SOURCE = shutil.ignore_patterns(
    ".git", ".venv*", "build", "install", "log", "dist", "out", "runs", "*.egg-info", ".*_cache",
    "__pycache__", ".hypothesis",
)  # fmt: skip


@pytest.fixture(scope="session")
def source_tree(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The checkout copied to where building it leaves no trace in the original."""
    source = tmp_path_factory.mktemp("workspace") / "src" / "coarse_loftr_ros"
    shutil.copytree(repository, source, ignore=NOT_SOURCE)
    return source


@pytest.fixture(scope="session")
def workspace(source_tree: Path) -> Path:
    """A ROS workspace with the clone, after the link that README's steps make in it."""
    readme = (source_tree / "README.md").read_text()
    (link,) = re.findall(r"^ln .*$", readme, re.MULTILINE)
    workspace = source_tree.parents[1]
    for _ in range(2):  # once more, as someone does who follows the steps again
        subprocess.run(["bash", "-euc", link], cwd=workspace, check=True)
    return workspace


@pytest.fixture(scope="session")
def build_environment() -> dict[str, str]:
    """Variables for processes that build: this virtual environment is their ROS installation."""
    other_builds = {"PYTHONPATH", "COLCON_PREFIX_PATH", "CMAKE_PREFIX_PATH"}
    inherited = {
        name: value
        for name, value in os.environ.items()
        if name not in other_builds and not name.startswith(("ROS_", "_ROS_", "MAKE"))
    }
    return {
        **inherited,
        "PATH": f"{sys.prefix}/bin{os.pathsep}{os.environ['PATH']}",
        "VIRTUAL_ENV": sys.prefix,
        "AMENT_PREFIX_PATH": sys.prefix,
    }
