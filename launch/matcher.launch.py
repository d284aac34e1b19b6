"""Start the matcher node.

``ros2 launch coarse_loftr_ros matcher.launch.py image:=/camera/image_raw`` matches a camera;
``ros2 launch coarse_loftr_ros matcher.launch.py --show-args`` lists the arguments.
"""

from pathlib import Path

from ament_index_python.packages import get_package_share_directory
from launch import LaunchContext, LaunchDescription
from launch.actions import DeclareLaunchArgument, OpaqueFunction
from launch.launch_description_entity import LaunchDescriptionEntity

from coarse_loftr_ros.node.launching.arguments import (
    check_model,
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

# Arguments that are parameters of the node. Empty leaves what the parameter file says.
PARAMETER_ARGUMENTS = {
    "mode": "One camera (mono) or a stereo camera (stereo).",
    "pairing": "Match each (left) image with the one before (consecutive) or with a keyframe.",
    "image_transport": "raw (sensor_msgs/Image) or compressed (<image>/compressed).",
    "image_reliability": "Reliability asked of image publishers: best_effort or reliable.",
    "freshness": "latest skips images that came while matching; all matches each in order.",
    "backend": "Runtime of the network: auto, tensorrt, cuda, openvino, onnxruntime or ncnn.",
    "precision": "Number format of the network: auto, fp32, fp16 or int8.",
    "model": "A model of the package (fast) or the folder of an exported one.",
    "use_mask": "true subscribes to the topic mask: matches lie only where it is not zero.",
    "autostart": "false waits for lifecycle transitions instead of starting at once.",
}

# What they may be; 'model' is looked for.
CHOICES = {
    "mode": ("mono", "stereo"),
    "pairing": ("consecutive", "keyframe"),
    "image_transport": ("raw", "compressed"),
    "image_reliability": ("best_effort", "reliable"),
    "freshness": ("latest", "all"),
    "backend": ("auto", "tensorrt", "cuda", "openvino", "onnxruntime", "ncnn"),
    "precision": ("auto", "fp32", "fp16", "int8"),
}
SWITCHES = ("use_mask", "autostart")
MODELS = ("fast",)

# Topics of the node that can be given another name.
TOPIC_ARGUMENTS = {
    "image": ("image", "Mono: topic of the images."),
    "left_image": ("left/image", "Stereo: topic of the left images."),
    "right_image": ("right/image", "Stereo: topic of the right images."),
    "mask": ("mask", "Topic of the mask."),
}


def _start(context: LaunchContext) -> list[LaunchDescriptionEntity]:
    given = context.launch_configurations
    check_names("node", {"name": given["name"]})
    check_names("namespace", {"namespace": given["namespace"]})
    check_names("topic", {name: given[name] for name in TOPIC_ARGUMENTS})
    check_model(given["model"], MODELS)
    params_file = given["params_file"]
    if not params_file:
        file = "stereo.yaml" if given["mode"] == "stereo" else "mono.yaml"
        params_file = str(Path(get_package_share_directory("coarse_loftr_ros")) / "config" / file)
    node = full_name(given.get("ros_namespace", ""), given["namespace"], given["name"])
    check_parameter_file(Path(params_file), [node])
    return [
        lifecycle_node(
            given,
            name=given["name"],
            executable="matcher_node",
            params_file=params_file,
            parameters=PARAMETER_ARGUMENTS,
            switches=SWITCHES,
            remappings=((topic, given[name]) for name, (topic, _) in TOPIC_ARGUMENTS.items()),
        ),
        *rviz_node(given, {"matcher": node}),
    ]


def generate_launch_description() -> LaunchDescription:
    """Declare the arguments and start the node."""
    arguments = [
        *parameter_arguments(PARAMETER_ARGUMENTS, SWITCHES, CHOICES),
        *topic_arguments(TOPIC_ARGUMENTS),
        DeclareLaunchArgument("name", default_value="matcher", description="Name of the node."),
        DeclareLaunchArgument("namespace", default_value="", description="Namespace of the node."),
        DeclareLaunchArgument(
            "params_file",
            default_value="",
            description="YAML file of parameters; empty takes config/mono.yaml or "
            "config/stereo.yaml of this package, as mode says.",
        ),
        *general_arguments(),
    ]
    return LaunchDescription([*arguments, OpaqueFunction(function=_start)])
