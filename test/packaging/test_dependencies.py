"""Every import is declared: to rosdep in package.xml, to pip in setup.py."""

import ast
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from importlib.metadata import requires
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
PACKAGE = REPOSITORY / "coarse_loftr_ros"

# How package indexes call what Python imports under another name.
PIP_NAME = {
    "backports": "backports.zstd",
    "cuda": "cuda-bindings",
    "cv2": "opencv-python-headless",
    "google": "protobuf",
    "ruamel": "ruamel.yaml",
    "yaml": "pyyaml",
}
ROSDEP_NAME = {
    "cv2": "python3-opencv",
    "numpy": "python3-numpy",
    "onnxruntime": "python3-onnxruntime-pip",
    "rosbags": "python3-rosbags-pip",
    "tqdm": "python3-tqdm",
    "yaml": "python3-yaml",
}
# The module is in the Python half of a pair of packages.
ROS_PACKAGE = {"tf2_ros": "tf2_ros_py"}

ROS = {"rclpy", "ament_index_python", "cv_bridge", "launch", "launch_ros", "tf2_ros"}
ROS_INTERFACES = ("_msgs", "_srvs", "_interfaces")
# On no package index: of a ROS distribution alone, of this repository, or of Python 3.14.
NOT_ON_PYPI = {"cv_bridge", "launch", "launch_ros", "tf2_ros", "coarse_loftr_msgs", "compression"}

# What needs more than the base install to be imported: ROS, or a runtime. The file of a runtime
# is imported by name, once the runtime is known to be there.
NEEDS_AN_EXTRA = [
    "node/**/*.py",
    "backends/*_backend.py",
    "backends/cuda/tensors.py",
    "backends/tensorrt/device.py",
    *(f"commands/demo/{name}.py" for name in ("pictures", "player", "report")),  # speak ROS
]
# Imported by name, so not to be found among the imports.
IMPORTED_BY_NAME = {"torch", "tensorrt", "tensorrt_rtx", "tensorrt_rtx_bindings", "plotly"}


def imports_of(file: Path) -> set[str]:
    """Names of the packages a file imports that are neither its own nor the standard library's."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text(), str(file))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found.add(node.module)
    return {name.split(".")[0] for name in found} - sys.stdlib_module_names - {PACKAGE.name}


def is_ros(name: str) -> bool:
    """Whether rosdep, not pip, provides a package on a robot."""
    return name in ROS or name.endswith(ROS_INTERFACES)


def pip_names(name: str) -> set[str]:
    """The names under which pip may know an import."""
    dashed = name.replace("_", "-").lower()
    return {PIP_NAME.get(name, dashed), f"ros-{dashed}", f"ros-kilted-{dashed}"}


IMPORTED = set().union(*(imports_of(file) for file in PACKAGE.rglob("*.py")))
USED_BY_LAUNCH = set().union(*(imports_of(file) for file in REPOSITORY.glob("launch/*.py")))


@pytest.fixture(scope="module")
def rosdep_keys() -> set[str]:
    """What package.xml asks of rosdep for running."""
    root = ET.parse(REPOSITORY / "package.xml").getroot()
    return {tag.text for kind in ("depend", "exec_depend") for tag in root.iter(kind)}


@pytest.mark.parametrize("name", sorted(filter(is_ros, IMPORTED)))
def test_ros_packages_are_declared_to_rosdep(name, rosdep_keys):
    assert ROS_PACKAGE.get(name, name) in rosdep_keys


def test_nothing_is_declared_to_rosdep_that_is_not_used(rosdep_keys):
    ros = {ROS_PACKAGE.get(name, name) for name in filter(is_ros, IMPORTED | USED_BY_LAUNCH)}
    assert rosdep_keys - ros - set(ROSDEP_NAME.values()) == set()


def test_packages_of_the_launch_files_are_declared_to_rosdep(rosdep_keys):
    assert {"launch", "launch_ros"} <= USED_BY_LAUNCH | IMPORTED
    assert USED_BY_LAUNCH - rosdep_keys == set()


@pytest.mark.parametrize("name", sorted(ROSDEP_NAME))
def test_python_packages_with_a_rosdep_key_are_declared(name, rosdep_keys):
    assert name in IMPORTED, f"nothing imports {name}: drop its key"
    assert ROSDEP_NAME[name] in rosdep_keys


@pytest.mark.parametrize("name", sorted(IMPORTED - NOT_ON_PYPI))
def test_every_import_is_declared_to_pip(name):
    declared = {re.match(r"[\w.-]+", line)[0].lower() for line in requires("coarse_loftr_ros")}
    assert pip_names(name) & declared


def test_everything_else_is_imported_without_ros_pytorch_or_a_runtime():
    heavy = {file for pattern in NEEDS_AN_EXTRA for file in PACKAGE.glob(pattern)}
    light = sorted(set(PACKAGE.rglob("*.py")) - heavy - {PACKAGE / "__main__.py"})
    modules = [".".join(file.relative_to(REPOSITORY).with_suffix("").parts) for file in light]
    assert len(modules) > 10
    lines = [line for line in requires("coarse_loftr_ros") if "extra ==" not in line]
    base = {re.match(r"[\w.-]+", line)[0].lower() for line in lines}
    absent = IMPORTED_BY_NAME | {name for name in IMPORTED if not pip_names(name) & base}
    assert {"rclpy", "onnxruntime", "scipy", "yaml"} <= absent
    # An entry of None in sys.modules makes the import fail as if nothing were installed.
    program = (
        "import importlib, sys\n"
        f"sys.modules.update(dict.fromkeys({sorted(absent)}))\n"
        f"for name in {modules}: importlib.import_module(name)\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", program], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
