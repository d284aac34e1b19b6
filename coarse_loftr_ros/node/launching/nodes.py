"""What both launch files share: arguments of one kind, and the node that gets their values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from launch.actions import DeclareLaunchArgument
from launch_ros.actions import LifecycleNode

from coarse_loftr_ros.node.launching.arguments import TRUTH_VALUES
from coarse_loftr_ros.node.launching.view import rviz_argument

__all__ = ["general_arguments", "lifecycle_node", "parameter_arguments", "topic_arguments"]


def parameter_arguments(
    descriptions: Mapping[str, str],
    switches: Iterable[str],
    choices: Mapping[str, Sequence[str]] | None = None,
) -> list[DeclareLaunchArgument]:
    """Arguments that are parameters of a node; empty, the default, leaves the parameter file's.

    Args:
        descriptions: by the names of the parameters.
        switches: those that are true or false.
        choices: what others may be, where that is not any text.
    """
    allowed = dict.fromkeys(switches, TRUTH_VALUES) | dict(choices or {})
    return [
        DeclareLaunchArgument(
            name,
            default_value="",
            description=description,
            choices=["", *allowed[name]] if name in allowed else None,
        )
        for name, description in descriptions.items()
    ]


def topic_arguments(topics: Mapping[str, tuple[str, str]]) -> list[DeclareLaunchArgument]:
    """Arguments that are names of topics.

    Args:
        topics: the default and a description, by the argument.
    """
    return [
        DeclareLaunchArgument(name, default_value=topic, description=description)
        for name, (topic, description) in topics.items()
    ]


def general_arguments() -> list[DeclareLaunchArgument]:
    """Time, log level and RViz."""
    return [
        DeclareLaunchArgument(
            "use_sim_time",
            default_value="false",
            choices=list(TRUTH_VALUES),
            description="Take the time from /clock (simulation, bags).",
        ),
        DeclareLaunchArgument(
            "log_level",
            default_value="info",
            choices=["debug", "info", "warn", "error", "fatal"],
            description="Least severity of logged messages.",
        ),
        rviz_argument(),
    ]


def lifecycle_node(
    given: Mapping[str, str],
    *,
    name: str,
    executable: str,
    params_file: str,
    parameters: Iterable[str],
    switches: Iterable[str],
    remappings: Iterable[tuple[str, str]],
) -> LifecycleNode:
    """A node of this package.

    Args:
        given: values of the launch arguments, with those of ``general_arguments``.
        name: of the node.
        executable: of this package.
        params_file: its parameters.
        parameters: arguments that replace what the file says, where they are not empty.
        switches: those of them that are true or false.
        remappings: of topics.
    """
    overrides: dict[str, str | bool] = {each: given[each] for each in parameters if given[each]}
    for switch in {*switches} & {*overrides}:
        overrides[switch] = given[switch].lower() == "true"
    overrides["use_sim_time"] = given["use_sim_time"].lower() == "true"
    return LifecycleNode(
        package="coarse_loftr_ros",
        executable=executable,
        name=name,
        namespace=given["namespace"],
        parameters=[params_file, overrides],
        remappings=[*remappings],
        ros_arguments=["--log-level", given["log_level"]],
        output="screen",
    )
