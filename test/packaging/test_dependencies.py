"""Every import is declared: to rosdep in package.xml, to pip in setup.py."""

import ast
import re
import sys
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import requires
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
PACKAGE = REPOSITORY / "coarse_loftr_ros"

# How package indexes call what Python imports under another name.
PIP_NAME = {"cv2": "opencv-python-headless", "yaml": "pyyaml"}
ROSDEP_NAME = {"cv2": "python3-opencv", "numpy": "python3-numpy", "tqdm": "python3-tqdm"}

# Only a ROS distribution has these, and only what runs on one imports them.
ROS_DISTRIBUTION_ONLY = {"cv_bridge", "launch", "launch_ros"}
ROS = ROS_DISTRIBUTION_ONLY | {"rclpy", "ament_index_python", "builtin_interfaces"}

# Installed from this repository, not from an index.
NOT_ON_PYPI = ROS_DISTRIBUTION_ONLY | {"coarse_loftr_msgs"}

# What needs more than the base install as soon as it is imported. The file of a runtime is
# imported by name, once it is known to be there, so the rest of backends/ is not in this list.
EXTRAS = {
    "node/**/*.py": {"ros"},
    "network/**/*.py": {"train"},
    "training/**/*.py": {"train"},
    "backends/*_backend.py": {"cpu", "tensorrt"},
}


@dataclass(frozen=True)
class Import:
    """One import statement: what, where, and whether importing the file runs it."""

    name: str
    file: Path
    at_once: bool

    @property
    def is_ros(self) -> bool:
        """Whether rosdep, not pip, provides it on a robot."""
        return self.name in ROS or self.name.endswith(("_msgs", "_srvs", "_interfaces"))


def imports_of(file: Path) -> Iterator[Import]:
    """All imports of a file that are neither its own package nor the standard library's."""

    def visit(node: ast.AST, at_once: bool) -> Iterator[Import]:
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names = [node.module]
        for name in {name.split(".")[0] for name in names}:
            if name != PACKAGE.name and name not in sys.stdlib_module_names:
                yield Import(name, file, at_once)
        lazy = isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
        typing_only = isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)
        for child in ast.iter_child_nodes(node):
            yield from visit(child, at_once and not lazy and not typing_only)

    yield from visit(ast.parse(file.read_text(), str(file)), True)


def pip_requirements() -> dict[str, set[str]]:
    """Requirement names by extra; the base install is the extra ''."""
    found: dict[str, set[str]] = {"": set()}
    for line in requires("coarse_loftr_ros"):
        name = re.match(r"[\w.-]+", line)[0].lower()
        extra = re.search(r"extra == ['\"](\w+)['\"]", line)
        found.setdefault(extra[1] if extra else "", set()).add(name)
    return found


def pip_names(name: str) -> set[str]:
    """The names under which pip may know an import."""
    dashed = name.replace("_", "-").lower()
    return {PIP_NAME.get(name, dashed), f"ros-{dashed}", f"ros-kilted-{dashed}"}


SOURCES = sorted(PACKAGE.rglob("*.py"))
IMPORTS = sorted(
    {found for file in SOURCES for found in imports_of(file)}, key=lambda i: (i.name, i.file)
)


@pytest.fixture(scope="module")
def rosdep_keys() -> set[str]:
    """What package.xml asks of rosdep for running."""
    root = ET.parse(REPOSITORY / "package.xml").getroot()
    return {tag.text for kind in ("depend", "exec_depend") for tag in root.iter(kind)}


@pytest.mark.parametrize("name", sorted({found.name for found in IMPORTS if found.is_ros}))
def test_ros_packages_are_declared_to_rosdep(name, rosdep_keys):
    assert name in rosdep_keys


def test_packages_of_the_launch_files_are_declared_to_rosdep(rosdep_keys):
    used = {found.name for file in REPOSITORY.glob("launch/*.py") for found in imports_of(file)}
    assert {"launch", "launch_ros"} <= used
    assert used - rosdep_keys == set()


@pytest.mark.parametrize("name", ["cv2", "numpy", "tqdm"])
def test_python_packages_with_a_rosdep_key_are_declared(name, rosdep_keys):
    assert any(found.name == name for found in IMPORTS), f"nothing imports {name}: drop its key"
    assert ROSDEP_NAME[name] in rosdep_keys


@pytest.mark.parametrize("name", sorted({found.name for found in IMPORTS} - NOT_ON_PYPI))
def test_every_import_is_declared_to_pip(name):
    assert pip_names(name) & set.union(*pip_requirements().values())


def test_importing_a_room_needs_only_what_it_is_said_to_need():
    """The base install imports everything but ROS and training; heavier packages come late."""
    declared = pip_requirements()
    extras = {file: names for glob, names in EXTRAS.items() for file in PACKAGE.glob(glob)}
    undeclared = []
    for found in IMPORTS:
        own = extras.get(found.file, set())
        allowed = set.union(*(declared[extra] for extra in {"", *own}))
        if "ros" in own:
            allowed.add("coarse-loftr-msgs")
        if found.at_once and not pip_names(found.name) & allowed:
            undeclared.append(f"{found.file.relative_to(REPOSITORY)} imports {found.name}")
    assert undeclared == []


@pytest.mark.parametrize("forbidden", ["node", "tools", "network", "training", "evaluation"])
def test_the_core_imports_no_outer_room(forbidden):
    core = [*PACKAGE.glob("*.py"), *PACKAGE.glob("backends/*.py")]
    users = [
        file.name
        for file in core
        if re.search(rf"^\s*(from|import) coarse_loftr_ros\.{forbidden}\b", file.read_text(), re.M)
    ]
    assert users == []
