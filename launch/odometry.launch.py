"""Start the matcher and the odometry node.

``ros2 launch coarse_loftr_ros odometry.launch.py left_image:=/stereo/left/image_rect
right_image:=/stereo/right/image_rect`` is stereo odometry; ``mode:=mono`` and ``mode:=planar`` take
``image:=/camera/image_rect``; ``--show-args`` lists the arguments.
"""

from pathlib import Path

from ament_index_python.packages import get_package_share_directory
from launch import LaunchContext, LaunchDescription
from launch.actions import DeclareLaunchArgument, IncludeLaunchDescription, OpaqueFunction
from launch.launch_description_entity import LaunchDescriptionEntity
from launch.launch_description_sources import PythonLaunchDescriptionSource

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
from coarse_loftr_ros.node.launching.view import rviz_node

MODES = ("stereo", "mono", "planar")

# Arguments that are parameters of the odometry node. Empty leaves what the parameter file says.
PARAMETER_ARGUMENTS = {
    "odom_frame": "Frame in which the path starts at the origin.",
    "base_frame": "Frame of the robot.",
    "publish_tf": "true broadcasts odom_frame to base_frame on /tf, false leaves that to others.",
    "autostart": "Both nodes: false waits for lifecycle transitions instead of starting at once.",
}
SWITCHES = ("publish_tf", "autostart")

# Topics of the images; each camera's camera_info is beside them.
IMAGE_ARGUMENTS = {
    "image": ("", "Mono and planar: topic of the rectified images."),
    "left_image": ("left/", "Stereo: topic of the rectified left images."),
    "right_image": ("right/", "Stereo: topic of the rectified right images."),
}

# Other topics of the odometry node that can be given another name.
TOPIC_ARGUMENTS = {
    "external_odometry": "Mono with mono.scale external: topic of the odometry that tells speed.",
    "range": "Planar with altitude_source range: topic of the range to the ground.",
}

# Handed on to matcher.launch.py as they are.
MATCHER_ARGUMENTS = {
    "image_transport": "raw (sensor_msgs/Image) or compressed (<image>/compressed).",
    "backend": "Runtime of the network: auto, tensorrt, cuda, openvino, onnxruntime or ncnn.",
    "model": "A model of the package (fast) or the folder of an exported one.",
}


def _camera_info(image: str) -> str:
    """The topic of the camera_info that belongs to an image topic, as image_transport has it."""
    camera, slash, _ = image.rpartition("/")
    return f"{camera}{slash}camera_info"


def _start(context: LaunchContext) -> list[LaunchDescriptionEntity]:
    given = context.launch_configurations
    share = Path(get_package_share_directory("coarse_loftr_ros"))
    params_file = given["params_file"] or str(share / "config" / f"odometry_{given['mode']}.yaml")
    check_names("namespace", {"namespace": given["namespace"]})
    check_names("topic", {name: given[name] for name in (*IMAGE_ARGUMENTS, *TOPIC_ARGUMENTS)})
    outer = given.get("ros_namespace", ""), given["namespace"]
    nodes = {name: full_name(*outer, name) for name in ("matcher", "odometry")}
    check_parameter_file(Path(params_file), nodes.values())
    general = ("autostart", "namespace", "use_sim_time", "log_level")
    matcher = IncludeLaunchDescription(
        PythonLaunchDescriptionSource(str(share / "launch" / "matcher.launch.py")),
        launch_arguments={
            **{name: given[name] for name in (*IMAGE_ARGUMENTS, *MATCHER_ARGUMENTS, *general)},
            "mode": "stereo" if given["mode"] == "stereo" else "mono",
            "params_file": params_file,
            "name": "matcher",
            "rviz": "false",  # it is started below
        }.items(),
    )
    odometry = lifecycle_node(
        given,
        name="odometry",
        executable="odometry_node",
        params_file=params_file,
        parameters=("mode", *PARAMETER_ARGUMENTS),
        switches=SWITCHES,
        remappings=(
            *(
                (side + "camera_info", _camera_info(given[argument]))
                for argument, (side, _) in IMAGE_ARGUMENTS.items()
            ),
            *((topic, given[topic]) for topic in TOPIC_ARGUMENTS),
        ),
    )
    # The matcher's launch file comes first: it may refuse what it is given.
    return [matcher, odometry, *rviz_node(given, nodes, given["odom_frame"])]


def generate_launch_description() -> LaunchDescription:
    """Declare the arguments and start both nodes."""
    arguments = [
        DeclareLaunchArgument(
            "mode",
            default_value="stereo",
            choices=MODES,
            description="A stereo camera (stereo), one camera (mono), or one that looks down "
            "(planar). With mono and planar lengths are metres only where the parameter file says "
            "how: mono.scale, planar.altitude_m, altitude_source.",
        ),
        *parameter_arguments(PARAMETER_ARGUMENTS | MATCHER_ARGUMENTS, SWITCHES),
        *topic_arguments(
            {name: (side + "image", text) for name, (side, text) in IMAGE_ARGUMENTS.items()}
        ),
        *topic_arguments({name: (name, text) for name, text in TOPIC_ARGUMENTS.items()}),
        DeclareLaunchArgument("namespace", default_value="", description="Namespace of the nodes."),
        DeclareLaunchArgument(
            "params_file",
            default_value="",
            description="YAML file of parameters of both nodes, some for each; empty takes "
            "config/odometry_<mode>.yaml of this package.",
        ),
        *general_arguments(),
    ]
    return LaunchDescription([*arguments, OpaqueFunction(function=_start)])
