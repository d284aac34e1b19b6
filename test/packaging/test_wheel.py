"""`pip wheel` of the packages holds all of them, and they weigh what the reference says."""

import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

PACKAGES = {"coarse_loftr_ros": ".", "coarse_loftr_lab": "lab"}
"""Their folders in the repository."""


@pytest.fixture(scope="module", params=PACKAGES)
def package(request) -> str:
    return request.param


@pytest.fixture(scope="module")
def wheel(package, source_tree: Path, build_environment, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    build = subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--quiet",
         "--wheel-dir", folder, source_tree / PACKAGES[package]],
        env=build_environment,
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip
    assert build.returncode == 0, build.stdout + build.stderr
    (wheel,) = folder.glob(f"{package}-*-py3-none-any.whl")
    return wheel


@pytest.fixture(scope="module")
def contents(wheel) -> set[str]:
    """Names of the files in the wheel."""
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def test_the_wheel_weighs_what_the_reference_says(wheel, package, repository):
    text = (repository / "docs/reference/installing.md").read_text()
    (said,) = re.findall(rf"^\| `{package}` \|.*\| ([\d.]+) MB", text, re.MULTILINE)
    assert wheel.stat().st_size / 1e6 == pytest.approx(float(said), rel=0.2)


def test_every_module_is_in_the_wheel(contents, package, repository):
    root = repository / PACKAGES[package]
    modules = {str(path.relative_to(root)) for path in (root / package).rglob("*.py")}
    assert len(modules) > 50
    assert modules - contents == set()


@pytest.mark.parametrize("package", ["coarse_loftr_ros"], indirect=True)
def test_the_models_and_their_cards_are_in_the_wheel(contents, repository):
    models = {
        str(path.relative_to(repository))
        for path in (repository / "coarse_loftr_ros").glob("models/**/*")
        if path.suffix in {".onnx", ".md", ".json"}
    }
    assert any(name.endswith(".onnx") for name in models)
    assert models - contents == set()


@pytest.mark.parametrize("package", ["coarse_loftr_ros"], indirect=True)
def test_the_message_definitions_are_in_the_wheel(contents, repository):
    """Recordings are read and written where the message package is not installed."""
    definitions = {path.name for path in (repository / "coarse_loftr_msgs/msg").iterdir()}
    folder = "coarse_loftr_ros/recordings/bags/msg"
    assert {name for name in contents if name.startswith(folder)} == {
        f"{folder}/{name}" for name in definitions
    }


def test_nothing_else_is_in_the_wheel(contents, package):
    folders = {name.split("/")[0] for name in contents}
    assert {folder for folder in folders if not folder.startswith(package)} == set()


def test_pip_will_not_put_scripts_where_ros2_run_wants_them(contents):
    """Setup.cfg's script folder is for colcon; with pip the commands belong in bin."""
    assert not any("/lib/coarse_loftr_ros/" in name or ".data/scripts" in name for name in contents)
