"""What launch files refuse, and that they see parameter files as rcl does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from coarse_loftr_ros.backends.base import SHIPPED_MODELS
from coarse_loftr_ros.node.launching.arguments import (
    check_model,
    check_names,
    check_parameter_file,
    full_name,
)

NODE = "/robot/matcher"


def written(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a: [1", "is not YAML: while parsing"),
        ("a: \x01", "is not YAML: unacceptable character"),
        ("", f"has no parameters for node {NODE}; it has none at all"),
        ("- 1", "it has none at all"),
        ("/**:\n  ros__parameters:\n", "it has none at all"),
        ("odometry: {ros__parameters: {mode: mono}}", "it has those of /odometry"),
        ("matcher: {ros__parameters: {mode: mono}}", "it has those of /matcher"),
    ],
)
def test_a_file_without_parameters_for_the_node_is_refused(tmp_path, text, sentence):
    path = written(tmp_path / "params.yaml", text)
    with pytest.raises(ValueError) as refusal:
        check_parameter_file(path, [NODE])
    assert str(refusal.value).startswith(f"params_file {path} ")
    assert sentence in str(refusal.value)


def test_a_file_that_cannot_be_read_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"absent.yaml cannot be read: No such file"):
        check_parameter_file(tmp_path / "absent.yaml", [NODE])
    with pytest.raises(ValueError, match="cannot be read: Is a directory"):
        check_parameter_file(tmp_path, [NODE])
    binary = tmp_path / "binary.yaml"
    binary.write_bytes(b"\x93\xff\x00")
    with pytest.raises(ValueError, match=r"binary.yaml is not YAML"):
        check_parameter_file(binary, [NODE])


def test_each_node_needs_parameters_of_its_own(tmp_path):
    path = written(tmp_path / "params.yaml", "/**/matcher: {ros__parameters: {mode: mono}}")
    with pytest.raises(ValueError, match="has no parameters for node /odometry; it has those of"):
        check_parameter_file(path, ["/matcher", "/odometry"])


@pytest.mark.parametrize("name", ["mono", "stereo", "odometry_mono", "odometry_planar"])
def test_the_files_of_this_package_are_taken(repository, name):
    nodes = ["/matcher", "/robot/matcher"]
    if name.startswith("odometry"):
        nodes += ["/odometry", "/robot/odometry"]
    check_parameter_file(repository / "config" / f"{name}.yaml", nodes)


@pytest.mark.parametrize(
    "section",
    [
        *("/**", "/**/matcher", "/*/matcher", "matcher", "/matcher", "/robot/matcher", "/*"),
        *("robot/matcher", "/**/robot/matcher", "/robot/*", "/robot/**", "/**/*", "**"),
        *("*/matcher", "robot: {matcher: X}"),
    ],
)
def test_a_section_is_for_the_nodes_that_rcl_gives_it_to(tmp_path, section):
    rclpy = pytest.importorskip("rclpy", reason="ROS is not installed")
    values = "{ros__parameters: {mode: mono}}"
    text = section.replace("X", values) if "X" in section else f'"{section}": {values}'
    path = written(tmp_path / "params.yaml", text)
    for namespace in ("/", "/robot", "/a/robot"):
        context = rclpy.Context()
        context.init(args=["--ros-args", "--params-file", str(path)])
        node = rclpy.create_node("matcher", context=context, namespace=namespace)
        given = "mode" in node._parameter_overrides
        node.destroy_node()
        context.shutdown()
        try:
            check_parameter_file(path, [full_name(namespace, "matcher")])
        except ValueError:
            assert not given, namespace
        else:
            assert given, namespace


@pytest.mark.parametrize(
    ("kind", "wrong", "right"),
    [
        ("node", ["a b", "", "/matcher", "1st"], ["matcher", "matcher_2"]),
        ("namespace", ["1st", "a b", "/a b"], ["", "/", "robot", "/robot/front"]),
        (
            "topic",
            ["a//b", "/a/", "", "a b", "/1st", "{x}"],
            ["image", "/camera/image_raw", "~/image"],
        ),
    ],
)
def test_names_that_ros_would_refuse_are_refused(kind, wrong, right):
    pytest.importorskip("rclpy", reason="ROS is not installed")
    for name in wrong:
        with pytest.raises(ValueError, match=re.escape(f"argument 'given' is '{name}': ")):
            check_names(kind, {"given": name})
    check_names(kind, {name: name for name in right})


def test_a_model_is_one_of_the_package_or_a_folder_of_one(repository, tmp_path):
    for name in ("", "fast", str(repository / "coarse_loftr_ros" / "models" / "fast")):
        check_model(name, SHIPPED_MODELS)
    for name in ("quick", str(tmp_path)):
        with pytest.raises(ValueError, match=f"'model' is '{name}', which is neither fast nor"):
            check_model(name, SHIPPED_MODELS)


@pytest.mark.parametrize(
    ("parts", "name"),
    [
        (("", "", "matcher"), "/matcher"),
        (("", "robot", "matcher"), "/robot/matcher"),
        (("/fleet", "robot", "matcher"), "/fleet/robot/matcher"),
        (("/fleet", "/robot", "matcher"), "/robot/matcher"),
        (("", ""), "/"),
    ],
)
def test_a_full_name_is_made_as_launch_makes_it(parts, name):
    assert full_name(*parts) == name
