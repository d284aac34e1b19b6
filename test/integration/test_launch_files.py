"""The launch files, run by launch itself where a ROS installation has it."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("launch_ros", reason="launch is of a ROS installation, on no package index")

PROGRAM = """
import sys
from launch import LaunchDescription, LaunchService
from launch.actions import IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource
file, *arguments = sys.argv[1:]
arguments = [tuple(argument.split(":=", 1)) for argument in arguments]
source = PythonLaunchDescriptionSource(file)
service = LaunchService(noninteractive=True)
service.include_launch_description(
    LaunchDescription([IncludeLaunchDescription(source, launch_arguments=arguments)])
)
sys.exit(service.run())
"""

# Stands for a driver's launch file: says what it was given, and sets what others might inherit.
DRIVER = """
import json
from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, OpaqueFunction

def say(context):
    print("driver", json.dumps(dict(context.launch_configurations)), flush=True)

def generate_launch_description():
    names = {"mode": "its own", "params_file": "/its/own.yaml", "name": "camera"}
    arguments = [DeclareLaunchArgument(name, default_value=names[name]) for name in names]
    return LaunchDescription([*arguments, OpaqueFunction(function=say)])
"""
DRIVERS = {
    "realsense2_camera": ("rs_launch.py", "realsense"),
    "zed_wrapper": ("zed_camera.launch.py", "zed"),
    "depthai_ros_driver": ("camera.launch.py", "oak"),
}


@pytest.fixture(scope="module")
def launch(repository, tmp_path_factory):
    """Starts a launch file of the checkout, laid out as if it were installed."""
    prefix = tmp_path_factory.mktemp("prefix")
    share, programs = prefix / "share/coarse_loftr_ros", prefix / "lib/coarse_loftr_ros"
    index = prefix / "share/ament_index/resource_index/packages"
    for folder in (share, programs, index):
        folder.mkdir(parents=True)
    (index / "coarse_loftr_ros").touch()
    for folder in ("launch", "config", "examples"):
        (share / folder).symlink_to(repository / folder)
    for name in ("matcher_node", "mask_node", "odometry_node"):
        (programs / name).symlink_to(Path(sys.executable).with_name(name))
    for package, (file, _) in DRIVERS.items():
        (index / package).touch()
        driver = prefix / "share" / package / "launch" / file
        driver.parent.mkdir(parents=True)
        driver.write_text(DRIVER)
    (index / "rviz2").touch()
    viewer = prefix / "lib/rviz2/rviz2"
    viewer.parent.mkdir()
    viewer.write_text('#!/bin/sh\necho "viewer" "$@"\n')
    viewer.chmod(0o755)
    paths = [str(prefix), os.environ.get("AMENT_PREFIX_PATH", ""), sys.prefix]

    def start(name: str, *arguments: str) -> subprocess.Popen:
        return subprocess.Popen(
            [sys.executable, "-c", PROGRAM, *share.glob(f"*/{name}.launch.py"), *arguments],
            env={**os.environ, "AMENT_PREFIX_PATH": os.pathsep.join(filter(None, paths))},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    return start


@pytest.mark.parametrize(
    ("name", "argument", "words"),
    [
        ("matcher", "mode:=three", 'Argument "mode" provided value "three" is not valid'),
        ("matcher", "params_file:=/absent.yaml", "params_file /absent.yaml cannot be read"),
        ("matcher", "image:=a//b", "argument 'image' is 'a//b'"),
        ("odometry", "params_file:=/absent.yaml", "params_file /absent.yaml cannot be read"),
        ("mask", "params_file:=/absent.yaml", "params_file /absent.yaml cannot be read"),
        ("odometry", "backend:=magic", 'Argument "backend" provided value "magic" is not valid'),
    ],
)
def test_what_cannot_be_is_refused_before_a_node_is_started(launch, name, argument, words):
    process = launch(name, argument)
    output, _ = process.communicate(timeout=30)
    assert process.returncode == 1
    assert words in output
    assert "process started" not in output


def test_both_nodes_start_and_end_well(launch):
    process = launch("odometry", "mode:=mono", "namespace:=robot", "use_sim_time:=False")
    started = set()
    for line in process.stdout:
        started |= {word for word in ("matching ", "mono odometry of ") if word in line}
        if len(started) == 2:
            break
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=15)
    assert output.count("process has finished cleanly") == 2, output


def test_rviz_is_started_once_and_finds_the_nodes(launch, repository):
    given = ("mode:=mono", "namespace:=robot", "odom_frame:=world", "rviz:=true")
    process = launch("odometry", *given)
    waiting, output = {"] viewer ", "matching ", "mono odometry of "}, []
    for line in process.stdout:
        output.append(line)
        waiting -= {words for words in waiting if words in line}
        if not waiting:
            break
    process.send_signal(signal.SIGINT)
    output += process.communicate(timeout=15)[0].splitlines(keepends=True)
    assert sum("process started" in line for line in output) == 3
    (command,) = {line for line in output if "] viewer " in line}  # launch may repeat it
    for topic in ("matcher/overlay", "odometry/odometry", "odometry/landmarks"):
        assert f" -r /{topic}:=/robot/{topic}" in command
    assert re.search(r" -d \S+/config/view.rviz -f world ", command)


@pytest.fixture(params=[example for _, example in DRIVERS.values()])
def example(request):
    return request.param


def test_an_example_starts_its_driver_and_nodes_that_listen_to_it(launch, example, repository):
    text = (repository / f"examples/{example}.launch.py").read_text()
    waiting = {*re.findall(r'_image="([^"]+)"', text), "stereo odometry of"}
    assert len(waiting) == 3
    given = {}
    process = launch(example, f"params_file:={repository}/config/odometry_stereo.yaml")
    for line in process.stdout:
        if line.startswith("driver "):
            given = json.loads(line.removeprefix("driver "))
        waiting -= {words for words in waiting if words in line}
        if not waiting:
            break
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=15)
    assert not waiting, output
    assert output.count("process has finished cleanly") == 2, output
    (of_the_driver,) = {value for value in given.values() if value.endswith(f"/{example}.yaml")}
    assert Path(of_the_driver).is_file()


def test_an_example_can_leave_its_driver_out(launch, repository):
    file = repository / "config/odometry_stereo.yaml"
    process = launch("oak", "driver:=false", f"params_file:={file}")
    waiting = {"matching stereo pairs", "stereo odometry of"}
    for line in process.stdout:
        assert not line.startswith("driver ")
        waiting -= {words for words in waiting if words in line}
        if not waiting:
            break
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=15)
    assert output.count("process has finished cleanly") == 2, output
