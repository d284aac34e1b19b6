"""Start the mask node, which leaves out what moves.

``ros2 launch coarse_loftr_ros mask.launch.py detector:=/path/to/detector.yaml
image:=/camera/image_raw`` publishes ``mask``; start the matcher with ``use_mask:=true`` beside it.
"""

from pathlib import Path

from ament_index_python.packages import get_package_share_directory
from launch import LaunchContext, LaunchDescription
from launch.actions import DeclareLaunchArgument, OpaqueFunction
from launch.launch_description_entity import LaunchDescriptionEntity

from coarse_loftr_ros.node.launching.arguments import (
    check_names,
    check_parameter_file,
    full_name,
)
from coarse_loftr_ros.node.launching.nodes import (
    general_arguments,
    lifecycle_node,
    parameter_arguments,
    topic_arguments,
)

# Arguments that are parameters of the node. Empty leaves what the parameter file says.
PARAMETER_ARGUMENTS = {
    "detector": "Path of the detector's description; it must be given, here or in params_file.",
    "classes": "Names of what is left out, with commas; empty takes those that move.",
    "image_transport": "raw (sensor_msgs/Image) or compressed (<image>/compressed).",
    "image_reliability": "Reliability asked of image publishers: best_effort or reliable.",
    "autostart": "false waits for lifecycle transitions instead of starting at once.",
}
CHOICES = {
    "image_transport": ("raw", "compressed"),
    "image_reliability": ("best_effort", "reliable"),
}
SWITCHES = ("autostart",)

# Topics of the node that can be given another name.
TOPIC_ARGUMENTS = {
    "image": ("image", "Topic of the images; in stereo of the left ones."),
    "mask": ("mask", "Topic of the masks."),
}


def _start(context: LaunchContext) -> list[LaunchDescriptionEntity]:
    given = context.launch_configurations
    check_names("node", {"name": given["name"]})
    check_names("namespace", {"namespace": given["namespace"]})
    check_names("topic", {name: given[name] for name in TOPIC_ARGUMENTS})
    share = Path(get_package_share_directory("coarse_loftr_ros"))
    params_file = given["params_file"] or str(share / "config" / "mask.yaml")
    node = full_name(given.get("ros_namespace", ""), given["namespace"], given["name"])
    check_parameter_file(Path(params_file), [node])
    return [
        lifecycle_node(
            given,
            name=given["name"],
            executable="mask_node",
            params_file=params_file,
            parameters=PARAMETER_ARGUMENTS,
            switches=SWITCHES,
            remappings=((topic, given[name]) for name, (topic, _) in TOPIC_ARGUMENTS.items()),
        )
    ]


def generate_launch_description() -> LaunchDescription:
    """Declare the arguments and start the node."""
    arguments = [
        *parameter_arguments(PARAMETER_ARGUMENTS, SWITCHES, CHOICES),
        *topic_arguments(TOPIC_ARGUMENTS),
        DeclareLaunchArgument("name", default_value="mask", description="Name of the node."),
        DeclareLaunchArgument("namespace", default_value="", description="Namespace of the node."),
        DeclareLaunchArgument(
            "params_file",
            default_value="",
            description="YAML file of parameters; empty takes config/mask.yaml of this package.",
        ),
        *general_arguments(),
    ]
    return LaunchDescription([*arguments, OpaqueFunction(function=_start)])
