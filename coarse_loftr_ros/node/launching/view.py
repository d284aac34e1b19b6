"""RViz, which both launch files start on demand."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ament_index_python.packages import get_package_share_directory
from launch.actions import DeclareLaunchArgument
from launch_ros.actions import Node

from coarse_loftr_ros.node.launching.arguments import TRUTH_VALUES

__all__ = ["rviz_argument", "rviz_node"]


def rviz_argument() -> DeclareLaunchArgument:
    """The argument ``rviz``."""
    return DeclareLaunchArgument(
        "rviz",
        default_value="false",
        choices=list(TRUTH_VALUES),
        description="Start RViz with config/view.rviz; needs rviz2.",
    )


def rviz_node(
    given: Mapping[str, str], nodes: Mapping[str, str], fixed_frame: str = ""
) -> list[Node]:
    """RViz, where ``rviz`` is true.

    Args:
        given: values of the launch arguments.
        nodes: full name of each node that runs, by the name that it has in the configuration.
        fixed_frame: instead of that of the configuration; empty leaves it.
    """
    if given["rviz"].lower() != "true":
        return []
    config = Path(get_package_share_directory("coarse_loftr_ros")) / "config" / "view.rviz"
    topics = {"matcher": ["overlay"], "odometry": ["odometry", "path", "landmarks"]}
    return [
        Node(
            package="rviz2",
            executable="rviz2",
            arguments=["-d", str(config), *(["-f", fixed_frame] if fixed_frame else [])],
            parameters=[{"use_sim_time": given["use_sim_time"].lower() == "true"}],
            remappings=[
                (f"/{name}/{topic}", f"{full}/{topic}")
                for name, full in nodes.items()
                for topic in topics[name]
                if full != f"/{name}"
            ],
            output="screen",
        )
    ]
