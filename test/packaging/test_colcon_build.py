"""A ROS user's `colcon build` of both packages, and what it installs."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.colcon

MESSAGES_ROUND_TRIP = """
import json
import coarse_loftr_msgs
from coarse_loftr_msgs.msg import Correspondences, HomographyStamped
from rclpy.serialization import deserialize_message, serialize_message

points = Correspondences(width=640, reference_points=[1.5, 2.5], track_id=[7])
plane = HomographyStamped(status=HomographyStamped.LOST, reason="too few matches")
points = deserialize_message(serialize_message(points), Correspondences)
plane = deserialize_message(serialize_message(plane), HomographyStamped)
print(json.dumps({
    "file": coarse_loftr_msgs.__file__,
    "width": points.width,
    "reference_points": list(points.reference_points),
    "track_id": list(points.track_id),
    "status": plane.status,
    "reason": plane.reason,
}))
"""


@pytest.fixture(scope="module")
def colcon() -> str:
    """The program, where it can build messages."""
    pytest.importorskip("colcon_core", reason="colcon is not installed (`make test` installs it)")
    if not Path(sys.prefix, "share", "rosidl_default_generators").is_dir():
        pytest.skip(f"no ROS message generators in {sys.prefix} (`make test` installs them)")
    return "colcon"


@pytest.fixture(scope="module")
def install(colcon: str, workspace: Path, build_environment: dict[str, str]) -> Path:
    """The install folder after `colcon build`."""
    build = subprocess.run(
        [colcon, "build", "--event-handlers", "console_direct+"],
        cwd=workspace,
        env=build_environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert build.returncode == 0, build.stdout[-4000:] + build.stderr[-4000:]
    return workspace / "install"


@pytest.fixture(scope="module")
def run_sourced(install: Path, build_environment: dict[str, str]):
    """Runs a command line in a shell that has sourced the workspace."""

    def run(command: str, **variables: str) -> str:
        shell = subprocess.run(
            ["bash", "-euc", f"set +u; source {install}/local_setup.bash; {command}"],
            cwd=install.parent,
            env=build_environment | variables,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert shell.returncode == 0, shell.stdout + shell.stderr
        return shell.stdout

    return run


def test_colcon_takes_the_packages_for_what_they_are(colcon, workspace, build_environment):
    listing = subprocess.run(
        [colcon, "list"],
        cwd=workspace,
        env=build_environment,
        capture_output=True,
        text=True,
        check=True,
    )
    kinds = {line.split("\t")[0]: line.split("\t")[2] for line in listing.stdout.splitlines()}
    assert kinds == {
        "coarse_loftr_ros": "(ros.ament_python)",
        "coarse_loftr_msgs": "(ros.ament_cmake)",
    }


@pytest.mark.parametrize("package", ["coarse_loftr_ros", "coarse_loftr_msgs"])
def test_the_ament_index_names_each_package(install, package):
    prefix = install / package
    assert (prefix / "share/ament_index/resource_index/packages" / package).is_file()
    assert (prefix / "share" / package / "package.xml").is_file()


@pytest.mark.parametrize(
    ("folder", "pattern"),
    [
        *(("launch", "*.launch.py"), ("config", "*.*"), ("examples", "*.*")),
    ],
)
def test_every_launch_config_and_example_file_is_installed(install, repository, folder, pattern):
    share = install / "coarse_loftr_ros/share/coarse_loftr_ros"
    expected = {path.name: path.read_text() for path in (repository / folder).glob(pattern)}
    assert expected, f"the repository has no {folder}/{pattern}"
    installed = [path for path in (share / folder).iterdir() if path.is_file()]
    assert {path.name: path.read_text() for path in installed} == expected


def test_the_package_itself_is_installed_whole(install, repository):
    source = repository / "coarse_loftr_ros"
    (installed,) = install.glob("coarse_loftr_ros/lib/python3*/site-packages/coarse_loftr_ros")
    wanted = {
        path.relative_to(source)
        for pattern in (
            *("**/*.py", "models/**/*.onnx", "models/**/*.md", "models/**/*.json"),
            "recordings/bags/msg/*.msg",
        )
        for path in source.glob(pattern)
    }
    assert sum(path.suffix == ".msg" for path in wanted) == 3
    assert {path for path in wanted if not (installed / path).is_file()} == set()


def test_ros2_run_would_find_the_executables(install):
    scripts = install / "coarse_loftr_ros/lib/coarse_loftr_ros"
    for name in ("matcher_node", "mask_node", "odometry_node", "coarse-loftr"):
        assert (scripts / name).stat().st_mode & 0o111, f"{name} is not executable"


def test_the_installed_command_line_starts(install, run_sourced):
    output = run_sourced(f"{install}/coarse_loftr_ros/lib/coarse_loftr_ros/coarse-loftr --help")
    assert "replay" in output


def test_messages_from_the_workspace_survive_serialisation(install, run_sourced):
    answer = json.loads(run_sourced('python3 -c "$PROGRAM"', PROGRAM=MESSAGES_ROUND_TRIP))
    assert Path(answer.pop("file")).is_relative_to(install / "coarse_loftr_msgs")
    assert answer == {
        "width": 640,
        "reference_points": [1.5, 2.5],
        "track_id": [7],
        "status": 2,
        "reason": "too few matches",
    }
