"""Start the matcher node.

``ros2 launch coarse_loftr_ros matcher.launch.py image:=/camera/image_raw`` matches a camera;
``ros2 launch coarse_loftr_ros matcher.launch.py --show-args`` lists the arguments.
"""

from pathlib import Path

from ament_index_python.packages import get_package_share_directory
from launch import LaunchContext, LaunchDescription
from launch.actions import DeclareLaunchArgument, OpaqueFunction
from launch.launch_description_entity import LaunchDescriptionEntity
from launch_ros.actions import LifecycleNode

from coarse_loftr_ros.node.launching.arguments import (
    TRUTH_VALUES,
    check_model,
    check_names,
    check_parameter_file,
    full_name,
)
from coarse_loftr_ros.node.launching.view import rviz_argument, rviz_node

# Arguments that are parameters of the node. Empty leaves what the parameter file says.
PARAMETER_ARGUMENTS = {
    "mode": "One camera (mono) or a stereo camera (stereo).",
    "pairing": "Match each (left) image with the one before (consecutive) or with a keyframe.",
    "image_transport": "raw (sensor_msgs/Image) or compressed (<image>/compressed).",
    "image_reliability": "Reliability asked of image publishers: best_effort or reliable.",
    "freshness": "latest skips images that came while matching; all matches each in order.",
    "backend": "Runtime of the network: auto, tensorrt, cuda, openvino or onnxruntime.",
    "precision": "Number format of the network: auto, fp32, fp16 or int8.",
    "model": "A model of the package, fast or accurate, or the folder of an exported one.",
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
    "backend": ("auto", "tensorrt", "cuda", "openvino", "onnxruntime"),
    "precision": ("auto", "fp32", "fp16", "int8"),
}
SWITCHES = ("use_mask", "autostart")
MODELS = ("fast", "accurate")

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
    overrides = {name: given[name] for name in PARAMETER_ARGUMENTS if given[name]}
    for name in {*SWITCHES} & {*overrides}:
        overrides[name] = given[name].lower() == "true"
    return [
        LifecycleNode(
            package="coarse_loftr_ros",
            executable="matcher_node",
            name=given["name"],
            namespace=given["namespace"],
            parameters=[
                params_file,
                {**overrides, "use_sim_time": given["use_sim_time"].lower() == "true"},
            ],
            remappings=[(topic, given[name]) for name, (topic, _) in TOPIC_ARGUMENTS.items()],
            ros_arguments=["--log-level", given["log_level"]],
            output="screen",
        ),
        *rviz_node(given, {"matcher": node}),
    ]


def _choices(name: str) -> list[str] | None:
    """What a parameter's argument may be; empty is none given."""
    allowed = TRUTH_VALUES if name in SWITCHES else CHOICES.get(name)
    return ["", *allowed] if allowed else None


def generate_launch_description() -> LaunchDescription:
    """Declare the arguments and start the node."""
    arguments = [
        DeclareLaunchArgument(
            name, default_value="", description=description, choices=_choices(name)
        )
        for name, description in PARAMETER_ARGUMENTS.items()
    ]
    arguments += [
        DeclareLaunchArgument(name, default_value=topic, description=description)
        for name, (topic, description) in TOPIC_ARGUMENTS.items()
    ]
    arguments += [
        DeclareLaunchArgument("name", default_value="matcher", description="Name of the node."),
        DeclareLaunchArgument("namespace", default_value="", description="Namespace of the node."),
        DeclareLaunchArgument(
            "params_file",
            default_value="",
            description="YAML file of parameters; empty takes config/mono.yaml or "
            "config/stereo.yaml of this package, as mode says.",
        ),
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
    return LaunchDescription([*arguments, OpaqueFunction(function=_start)])
