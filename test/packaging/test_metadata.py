"""Versions and requirements say the same thing wherever they are written."""

import re
import xml.etree.ElementTree as ET
from importlib.metadata import distribution, requires, version

import pytest

import coarse_loftr_lab
import coarse_loftr_ros
from coarse_loftr_ros.commands.registry import installed_commands


@pytest.fixture(scope="module", params=["package.xml", "coarse_loftr_msgs/package.xml"])
def manifest(request, repository) -> ET.Element:
    """The root element of a package.xml."""
    return ET.parse(repository / request.param).getroot()


def test_one_version_everywhere(manifest, repository):
    wheel = (repository / "coarse_loftr_msgs/pyproject.toml").read_text()
    assert manifest.findtext("version") == coarse_loftr_ros.__version__
    assert version("coarse_loftr_ros") == coarse_loftr_ros.__version__
    assert version("coarse_loftr_lab") == coarse_loftr_lab.__version__
    assert coarse_loftr_lab.__version__ == coarse_loftr_ros.__version__
    assert f'\nversion = "{coarse_loftr_ros.__version__}"\n' in wheel


def test_colcon_extra_holds_what_builds_the_messages(repository):
    """A workspace build and `pip install ./coarse_loftr_msgs` use the same generators."""
    text = (repository / "coarse_loftr_msgs/pyproject.toml").read_text()
    table = re.search(r"^requires = \[(.*?)^\]", text, re.MULTILINE | re.DOTALL)[1]
    builds_wheel = set(re.findall(r'^  "(ros-[^"]+|catkin-pkg[^"]*)"', table, re.MULTILINE))
    installed = {requirement.split(";")[0].strip() for requirement in requires("coarse_loftr_ros")}
    assert len(builds_wheel) > 5
    assert builds_wheel - installed == set()


def test_the_test_extra_names_pytest():
    """Without it `colcon test` runs no test and reports success."""
    extra = [line for line in requires("coarse_loftr_ros") if "extra ==" in line and "test" in line]
    assert any(line.startswith("pytest>") for line in extra)


def test_pip_puts_the_commands_on_the_path():
    scripts = {entry.name: entry.value for entry in distribution("coarse_loftr_ros").entry_points}
    assert scripts == {
        "coarse-loftr": "coarse_loftr_ros.commands.cli:main",
        "matcher_node": "coarse_loftr_ros.node.matcher.matcher_node:main",
        "mask_node": "coarse_loftr_ros.node.mask.mask_node:main",
        "odometry_node": "coarse_loftr_ros.node.odometry.odometry_node:main",
    }


def test_the_lab_offers_each_of_its_commands(repository):
    commands = repository / "lab/coarse_loftr_lab/commands"
    modules = {path.stem for path in commands.glob("*.py") if "def add_parser(" in path.read_text()}
    assert {entry.name for entry in installed_commands()} == modules
