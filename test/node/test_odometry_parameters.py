"""The odometry node's table of parameters, and the files that must agree with it."""

from __future__ import annotations

import ast
import dataclasses
import math

import numpy as np
import pytest
import yaml
from parameter_files import (
    constant,
    declared,
    declared_by_both,
    flat,
    launch_tree,
    lines_above_values,
)

from coarse_loftr_ros.node.common.parameter import ParameterError
from coarse_loftr_ros.node.matcher.parameter_table import PARAMETERS as MATCHER
from coarse_loftr_ros.node.matcher.parameters import check as check_matcher
from coarse_loftr_ros.node.odometry.parameter_table import PARAMETERS
from coarse_loftr_ros.node.odometry.parameters import check, mounting, settings, why_not_metric
from coarse_loftr_ros.odometry.settings import (
    MonoSettings,
    MotionSettings,
    PlanarSettings,
    ScaleSource,
    StereoSettings,
)

DEFAULTS = {name: row.default for name, row in PARAMETERS.items()}
LOOKING_DOWN = {"mounting.pitch": 1.5708}
# What a mode's file sets beside the mode.
MODE_VALUES = {"stereo": {}, "mono": {}, "planar": LOOKING_DOWN}


def of_mode(mode: str, **changes: object) -> dict:
    return DEFAULTS | {"mode": mode} | MODE_VALUES[mode] | changes


@pytest.mark.parametrize(
    ("mode", "kind"),
    [("stereo", StereoSettings), ("mono", MonoSettings), ("planar", PlanarSettings)],
)
def test_defaults_are_allowed_and_are_those_of_the_core(mode, kind):
    values = of_mode(mode)
    check(values)
    found = dataclasses.asdict(settings(values, mounting(values)))
    expected = dataclasses.asdict(kind())
    for name in ("down", "normal"):  # by way of sines and cosines, and 1.5708 is not quite pi / 2
        if name in expected:
            np.testing.assert_allclose(found.pop(name), expected.pop(name), atol=1e-5)
    assert found == expected


@pytest.mark.parametrize(
    ("group", "kind", "derived"),
    [
        ("motion", MotionSettings, set()),
        ("stereo", StereoSettings, set()),
        ("mono", MonoSettings, {"down"}),
        ("planar", PlanarSettings, {"normal"}),
    ],
)
def test_groups_are_complete(group, kind, derived):
    shared = {field.name for field in dataclasses.fields(MotionSettings)}
    fields = {field.name for field in dataclasses.fields(kind)} - derived
    if kind is not MotionSettings:
        fields -= shared
    names = {name.split(".")[1] for name in PARAMETERS if name.startswith(group + ".")}
    assert names == fields


def test_where_down_is_follows_from_the_mounting():
    tilted = of_mode("mono", **{"mounting.pitch": 0.3})
    down = settings(tilted, mounting(tilted)).down
    np.testing.assert_allclose(down, (0, math.cos(0.3), math.sin(0.3)), atol=1e-12)


def test_zero_height_and_altitude_mean_unknown():
    planar = settings(of_mode("planar"), mounting(of_mode("planar")))
    assert planar.altitude_m is None
    values = of_mode("planar", **{"planar.altitude_m": 12.0})
    assert settings(values, mounting(values)).altitude_m == 12.0
    values = of_mode("mono", **{"mono.scale": "ground_plane", "mono.camera_height_m": 1.2})
    assert settings(values, mounting(values)).scale is ScaleSource.GROUND_PLANE


def test_every_row_is_described_and_every_number_has_a_range():
    for row in PARAMETERS.values():
        assert row.description.endswith("."), row.name
        if type(row.default) in (int, float):
            assert type(row.low) is type(row.high) is type(row.default), row.name


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"mode": "both"}, "parameter 'mode' is 'both'; allowed are stereo, mono, planar"),
        ({"odom_frame": ""}, "parameter 'odom_frame' is ''; it must be a name"),
        ({"base_frame": "/base"}, "parameter 'base_frame' is '/base'; it must be a name"),
        ({"base_frame": "odom"}, "odom_frame and base_frame are both 'odom'; they must differ"),
        ({"motion.min_inliers": 3}, "parameter 'motion.min_inliers' is 3; allowed is 6 to 100000"),
        (
            {"mode": "mono", "mono.scale": "ground_plane"},
            "parameters do not fit together: camera_height_m is not given",
        ),
    ],
)
def test_bad_values_are_refused_in_words(changes, sentence):
    with pytest.raises(ParameterError) as refusal:
        check(DEFAULTS | changes)
    assert str(refusal.value).startswith(sentence)


@pytest.mark.parametrize("mode", MODE_VALUES)
def test_configuration_file_is_for_both_nodes(repository, mode):
    text = (repository / "config" / f"odometry_{mode}.yaml").read_text()
    tree = yaml.safe_load(text)
    assert list(tree) == ["/**/matcher", "/**/odometry"], "they hold in any namespace"
    values = flat(tree["/**/odometry"]["ros__parameters"])
    check(values)
    assert values == of_mode(mode)
    matcher = flat(tree["/**/matcher"]["ros__parameters"])
    check_matcher({name: row.default for name, row in MATCHER.items()} | matcher)
    assert matcher["mode"] == ("stereo" if mode == "stereo" else "mono")
    rows = [*(MATCHER[name] for name in matcher), *PARAMETERS.values()]
    assert lines_above_values(text) == [f"# Allowed: {row.allowed}" for row in rows]


@pytest.mark.parametrize("mode", MODE_VALUES)
def test_a_configuration_file_says_first_that_its_lengths_are_not_metres(repository, mode):
    text = (repository / "config" / f"odometry_{mode}.yaml").read_text()
    why = why_not_metric(of_mode(mode))
    assert ("NOT METRES" in text) == bool(why) == (mode != "stereo")
    assert not why or f"lengths are NOT METRES: {why.split(' and ')[0]}" in text.split("\n")[0]


# --- the launch file, read without ROS ----------------------------------------------------------


@pytest.fixture(scope="module")
def launch(repository) -> ast.Module:
    return launch_tree(repository, "odometry")


def test_launch_modes_have_a_configuration_each(launch, repository):
    assert constant(launch, "MODES") == PARAMETERS["mode"].choices
    for mode in constant(launch, "MODES"):
        assert (repository / "config" / f"odometry_{mode}.yaml").exists()


def test_launch_arguments_are_parameters_of_the_node(launch):
    arguments = constant(launch, "PARAMETER_ARGUMENTS")
    assert set(arguments) <= set(PARAMETERS)
    switches = {name for name in arguments if isinstance(PARAMETERS[name].default, bool)}
    assert set(constant(launch, "SWITCHES")) == switches


def test_what_is_handed_on_are_arguments_of_the_matchers_launch_file(launch, repository):
    matcher = launch_tree(repository, "matcher")
    known = {
        **constant(matcher, "PARAMETER_ARGUMENTS"),
        **constant(matcher, "TOPIC_ARGUMENTS"),
        **declared(matcher),
        **declared_by_both(repository),
    }
    assert set(constant(launch, "MATCHER_ARGUMENTS")) <= set(known)
    assert set(constant(launch, "IMAGE_ARGUMENTS")) <= set(known)
    assert {
        "autostart",
        "mode",
        "params_file",
        "name",
        "namespace",
        "use_sim_time",
        "log_level",
    } <= set(known)


def test_launch_arguments_are_described(launch, repository):
    texts = {
        **constant(launch, "PARAMETER_ARGUMENTS"),
        **constant(launch, "MATCHER_ARGUMENTS"),
        **constant(launch, "TOPIC_ARGUMENTS"),
        **{name: text for name, (_, text) in constant(launch, "IMAGE_ARGUMENTS").items()},
        **declared(launch),
        **declared_by_both(repository),
    }
    assert all(text.endswith(".") for text in texts.values())


def test_topics_that_launch_renames_are_topics_of_the_node(launch, repository):
    code = (repository / "coarse_loftr_ros/node/odometry/activity.py").read_text()
    for topic in constant(launch, "TOPIC_ARGUMENTS"):
        assert f'"{topic}"' in code
