"""The examples name what drivers and our nodes have."""

from __future__ import annotations

import ast
import re

import pytest
import yaml
from parameter_files import flat

from coarse_loftr_ros.node.launching.arguments import check_parameter_file
from coarse_loftr_ros.node.matcher.parameter_table import PARAMETERS as MATCHER
from coarse_loftr_ros.node.odometry.parameter_table import PARAMETERS as ODOMETRY

# Of each driver's launch file, those of its arguments that decide about a stereo pair and its
# frames, and parameters that its node declares, as published.
PUBLISHED = {
    "realsense": (
        ("realsense2_camera", "rs_launch.py"),
        {"camera_name", "camera_namespace", "config_file", "enable_color", "enable_depth",
         "enable_infra", "enable_infra1", "enable_infra2", "enable_sync", "publish_tf",
         "depth_module.infra_profile"},
        {"depth_module.emitter_enabled", "depth_module.enable_auto_exposure"},
    ),
    "zed": (
        ("zed_wrapper", "zed_camera.launch.py"),
        {"camera_name", "camera_model", "namespace", "node_name", "ros_params_override_path",
         "publish_urdf", "publish_tf", "publish_map_tf", "publish_imu_tf", "param_overrides"},
        {"video.publish_rgb", "video.publish_left_right", "video.publish_raw",
         "video.publish_gray", "video.publish_stereo", "pos_tracking.pos_tracking_enabled"},
    ),
    "oak": (
        ("depthai_ros_driver", "camera.launch.py"),
        {"name", "namespace", "parent_frame", "camera_model", "params_file", "rectify_rgb",
         "publish_tf_from_calibration", "rs_compat"},
        {"camera.i_pipeline_type", "camera.i_nn_type", "camera.i_enable_ir",
         "pipeline_gen.i_enable_sync", "stereo.i_publish_topic", "stereo.i_left_rect_publish_topic",
         "stereo.i_right_rect_publish_topic", "stereo.i_left_rect_synced",
         "stereo.i_right_rect_synced", "stereo.i_reverse_stereo_socket_order",
         "stereo.i_publish_synced_rect_pair", "left.i_resolution", "left.i_fps",
         "right.i_resolution", "right.i_fps"},
    ),
}  # fmt: skip

# params/ekf.yaml of robot_localization 3.6.0; those of a sensor without its name and number.
EKF = {
    *("frequency", "sensor_timeout", "two_d_mode", "publish_tf", "publish_acceleration"),
    *("map_frame", "odom_frame", "base_link_frame", "world_frame", "process_noise_covariance"),
}
OF_A_SENSOR = {
    *("", "_config", "_queue_size", "_differential", "_relative"),
    *("_pose_rejection_threshold", "_twist_rejection_threshold"),
    "_remove_gravitational_acceleration",
}


@pytest.fixture
def examples(repository):
    return repository / "examples"


@pytest.fixture(params=PUBLISHED)
def camera(request):
    return request.param


@pytest.fixture
def call(examples, camera) -> ast.Call:
    """What a launch file hands to ``odometry_with_driver``."""
    tree = ast.parse((examples / f"{camera}.launch.py").read_text())
    (call,) = (
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "odometry_with_driver"
    )
    return call


def test_a_driver_is_started_with_arguments_that_it_has(call, camera):
    launch_file, arguments, _ = PUBLISHED[camera]
    package, name, given = call.args
    assert (ast.literal_eval(package), ast.literal_eval(name)) == launch_file
    assert {ast.literal_eval(key) for key in given.keys} <= arguments


def test_a_driver_is_given_the_file_of_its_camera(call, camera, examples):
    (file,) = (value for value in call.args[2].values if isinstance(value, ast.Call))
    assert file.func.id == "example"
    assert ast.literal_eval(file.args[0]) == f"{camera}.yaml"
    assert (examples / f"{camera}.yaml").is_file()


def test_left_and_right_are_two_topics_of_one_driver(call):
    names = {keyword.arg: ast.literal_eval(keyword.value) for keyword in call.keywords}
    assert set(names) == {"base_frame", "left_image", "right_image"}
    left, right = names["left_image"], names["right_image"]
    assert left.startswith("/") and left != right
    eyes = {("left", "right"), ("infra1", "infra2")}
    parts = zip(left.split("/"), right.split("/"), strict=True)
    (differing,) = (pair for pair in parts if pair[0] != pair[1])
    assert differing in eyes


def test_parameters_of_a_driver_are_those_that_its_node_has(camera, examples):
    content = yaml.safe_load((examples / f"{camera}.yaml").read_text())
    if camera != "realsense":  # whose launch file takes names and values alone
        (section,) = content.values()
        content = flat(section["ros__parameters"])
    assert content
    assert set(content) <= PUBLISHED[camera][2]


def test_an_example_says_that_no_robot_has_run_it_and_of_which_version_it_speaks(examples):
    files = [*examples.glob("*.launch.py"), examples / "robot_localization.yaml"]
    assert len(files) == len(PUBLISHED) + 1
    for file in files:
        assert re.search(r"NOT run on (hardware|a robot)", file.read_text()), file
        assert re.search(r"\b\d+\.\d+\.\d+\b", file.read_text()), file


def test_parameters_of_our_nodes_exist(examples):
    path = examples / "camera_on_tf.yaml"
    check_parameter_file(path, ["/matcher", "/odometry"])
    content = yaml.safe_load(path.read_text())
    for node, table in {"matcher": MATCHER, "odometry": ODOMETRY}.items():
        given = flat(content[f"/**/{node}"]["ros__parameters"])
        assert set(given) <= set(table)
        for name, value in given.items():
            assert type(value) is type(table[name].default)


def test_the_filter_is_given_the_velocity_and_parameters_that_it_has(examples):
    content = yaml.safe_load((examples / "robot_localization.yaml").read_text())
    parameters = content["ekf_filter_node"]["ros__parameters"]
    for name in parameters:
        sensor = re.fullmatch(r"(?:odom|imu)0(\w*)", name)
        assert sensor[1] in OF_A_SENSOR if sensor else name in EKF, name
    assert parameters["odom0"] == "/odometry/odometry"
    assert parameters["odom0_config"] == [False] * 6 + [True] * 6 + [False] * 3
    assert len(parameters["imu0_config"]) == 15
