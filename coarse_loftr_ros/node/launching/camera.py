"""What the launch files in ``examples/`` share: a driver of a stereo camera, and both nodes."""

from __future__ import annotations

from collections.abc import Mapping

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, GroupAction, IncludeLaunchDescription
from launch.conditions import IfCondition
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.substitutions import FindPackageShare

__all__ = ["example", "odometry_with_driver"]


def example(name: str) -> PathJoinSubstitution:
    """Path of a file of ``examples/``, as installed."""
    return PathJoinSubstitution([FindPackageShare("coarse_loftr_ros"), "examples", name])


def odometry_with_driver(
    package: str,
    launch_file: str,
    arguments: Mapping[str, object],
    *,
    base_frame: str,
    left_image: str,
    right_image: str,
) -> LaunchDescription:
    """Start a driver, unless ``driver:=false``, and odometry.launch.py with its topics.

    What the driver's launch file sets stays within it. Those arguments of odometry.launch.py that
    are not declared here are inherited from the command line as well.

    Args:
        package: of the driver; it need not be there with ``driver:=false``.
        launch_file: its name in the package's ``launch`` folder.
        arguments: given to it.
        base_frame: the frame of the robot where it has no other, above the camera's in TF.
        left_image: topic of the rectified left images, with their ``camera_info`` beside it.
        right_image: the same of the right ones.
    """
    declared = {
        "driver": ("true", "false leaves the driver out: it runs already, or a bag is played."),
        "base_frame": (base_frame, "Frame of the robot, above the camera's in TF."),
        "left_image": (left_image, "Topic of the rectified left images."),
        "right_image": (right_image, "Topic of the rectified right images."),
        "params_file": (example("camera_on_tf.yaml"), "Parameters of both nodes."),
    }
    return LaunchDescription(
        [
            *(
                DeclareLaunchArgument(name, default_value=value, description=description)
                for name, (value, description) in declared.items()
            ),
            GroupAction(
                [_include(package, launch_file, arguments)],
                condition=IfCondition(LaunchConfiguration("driver")),
            ),
            _include("coarse_loftr_ros", "odometry.launch.py", {"mode": "stereo"}),
        ]
    )


def _include(
    package: str, launch_file: str, arguments: Mapping[str, object]
) -> IncludeLaunchDescription:
    path = PathJoinSubstitution([FindPackageShare(package), "launch", launch_file])
    return IncludeLaunchDescription(
        PythonLaunchDescriptionSource(path), launch_arguments=arguments.items()
    )
