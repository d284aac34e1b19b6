"""A copy of the checkout as a user clones it, and the environment in which it is built."""

import os
import shutil
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
