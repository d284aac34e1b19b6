"""The table of parameters, and the files that must agree with it."""

from __future__ import annotations

import dataclasses

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

from coarse_loftr_ros.backends.base import SHIPPED_MODELS
from coarse_loftr_ros.matching.frame_matching import MatchSettings
from coarse_loftr_ros.matching.homography_estimate import HomographySettings
from coarse_loftr_ros.matching.reference_policy import Consecutive, Keyframe, KeyframeRule
from coarse_loftr_ros.node.common.parameter import ParameterError
from coarse_loftr_ros.node.matcher.parameter_table import PARAMETERS
from coarse_loftr_ros.node.matcher.parameters import (
    check,
    match_settings,
    reference_policy,
)

DEFAULTS = {name: row.default for name, row in PARAMETERS.items()}


def test_defaults_are_allowed_and_are_those_of_the_core():
    check(DEFAULTS)
    assert match_settings(DEFAULTS) == MatchSettings()
    assert isinstance(reference_policy(DEFAULTS), Consecutive)
    keyframe = reference_policy(DEFAULTS | {"pairing": "keyframe"})
    assert isinstance(keyframe, Keyframe)
    assert keyframe.rule == KeyframeRule()


@pytest.mark.parametrize(
    ("group", "settings"), [("homography", HomographySettings), ("keyframe", KeyframeRule)]
)
def test_groups_are_complete(group, settings):
    fields = {f"{group}.{field.name}" for field in dataclasses.fields(settings)}
    assert fields == {name for name in PARAMETERS if name.startswith(group + ".")}


def test_every_row_is_described_and_every_number_has_a_range():
    for row in PARAMETERS.values():
        assert row.description.endswith("."), row.name
        if type(row.default) in (int, float):
            assert row.low is not None, row.name
            assert row.high is not None, row.name
            assert type(row.low) is type(row.high) is type(row.default), row.name


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("mode", "three", "parameter 'mode' is 'three'; allowed are mono, stereo"),
        ("threads", -1, "parameter 'threads' is -1; allowed is 0 to 256"),
        ("network_pixels", -1, "parameter 'network_pixels' is -1; allowed is 0 to 4194304 px"),
        ("confidence_threshold", 1, "parameter 'confidence_threshold' is 1; it must be a number"),
        ("confidence_threshold", float("nan"), "parameter 'confidence_threshold' is nan"),
        ("use_mask", 1, "parameter 'use_mask' is 1; it must be true or false"),
        ("max_matches", True, "parameter 'max_matches' is True; it must be a whole number"),
    ],
)
def test_bad_values_are_refused_in_words(name, value, sentence):
    with pytest.raises(ParameterError) as refusal:
        check(DEFAULTS | {name: value})
    assert str(refusal.value).startswith(sentence)


@pytest.mark.parametrize("mode", ["mono", "stereo"])
def test_configuration_file_names_every_parameter_with_its_default(repository, mode):
    text = (repository / "config" / f"{mode}.yaml").read_text()
    tree = yaml.safe_load(text)
    assert list(tree) == ["/**"], "the wildcard makes the file work in any namespace"
    values = flat(tree["/**"]["ros__parameters"])
    check(values)
    assert values == DEFAULTS | {"mode": mode}
    # Each value stands under a comment with what is allowed; the order is the table's.
    assert lines_above_values(text) == [f"# Allowed: {row.allowed}" for row in PARAMETERS.values()]


# --- the launch file, read without ROS ----------------------------------------------------------


def test_launch_arguments_are_parameters_of_the_node(repository):
    tree = launch_tree(repository, "matcher")
    arguments, choices = constant(tree, "PARAMETER_ARGUMENTS"), constant(tree, "CHOICES")
    assert set(arguments) <= set(PARAMETERS)
    for name, description in arguments.items():
        assert PARAMETERS[name].choices == choices.get(name, ()), name
        for choice in PARAMETERS[name].choices:
            assert choice in description, f"{name} does not say {choice}"
        # What the launch file hands over as text must be text to the node.
        assert isinstance(PARAMETERS[name].default, str | bool)


def test_launch_file_knows_all_truth_values_and_models(repository):
    tree = launch_tree(repository, "matcher")
    names = {n for n in constant(tree, "PARAMETER_ARGUMENTS") if PARAMETERS[n].default in (0, 1)}
    assert set(constant(tree, "SWITCHES")) == names
    assert constant(tree, "MODELS") == SHIPPED_MODELS


def test_launch_file_has_the_arguments_of_the_documentation(repository):
    tree = launch_tree(repository, "matcher")
    arguments = {
        **constant(tree, "PARAMETER_ARGUMENTS"),
        **{name: text for name, (_, text) in constant(tree, "TOPIC_ARGUMENTS").items()},
        **declared(tree),
        **declared_by_both(repository),
    }
    assert {
        "mode",
        "image",
        "left_image",
        "right_image",
        "image_transport",
        "backend",
        "namespace",
        "params_file",
        "use_sim_time",
        "log_level",
        "autostart",
    } <= set(arguments)
    assert all(description.endswith(".") for description in arguments.values())
