"""The mask node's table of parameters, and the files that must agree with it."""

from __future__ import annotations

import pytest
import yaml
from detectors import bright_detector
from parameter_files import constant, declared, flat, launch_tree, lines_above_values

from coarse_loftr_ros.detection.description import DetectorError
from coarse_loftr_ros.detection.detector import DetectorSettings
from coarse_loftr_ros.node.common.parameter import ParameterError
from coarse_loftr_ros.node.mask.parameter_table import PARAMETERS
from coarse_loftr_ros.node.mask.parameters import check, load_detector, looked_for

DEFAULTS = {name: row.default for name, row in PARAMETERS.items()}


def test_defaults_are_allowed_and_are_those_of_the_detector():
    check(DEFAULTS)
    settings = DetectorSettings()
    assert looked_for(DEFAULTS) == settings.classes
    assert (DEFAULTS["score"], DEFAULTS["threads"]) == (settings.score, settings.threads)


def test_classes_are_names_with_commas():
    assert looked_for(DEFAULTS | {"classes": "person, traffic light,"}) == (
        "person",
        "traffic light",
    )


def test_bad_values_are_refused_in_words(tmp_path):
    with pytest.raises(ParameterError, match=r"parameter .score' is 0.0; allowed is 0.01 to 1.0"):
        check(DEFAULTS | {"score": 0.0})
    with pytest.raises(DetectorError, match="parameter 'detector' is empty; it must be the path"):
        load_detector(DEFAULTS)
    detector = load_detector(DEFAULTS | {"detector": str(bright_detector(tmp_path))})
    check(DEFAULTS | {"classes": "lamp"}, detector)
    with pytest.raises(ParameterError, match="parameter 'classes': class 'cat' is none of"):
        check(DEFAULTS | {"classes": "cat"}, detector)


def test_every_row_is_described_and_every_number_has_a_range():
    for row in PARAMETERS.values():
        assert row.description.endswith("."), row.name
        if type(row.default) in (int, float):
            assert type(row.low) is type(row.high) is type(row.default), row.name


def test_configuration_file_names_every_parameter_with_its_default(repository):
    text = (repository / "config" / "mask.yaml").read_text()
    tree = yaml.safe_load(text)
    assert list(tree) == ["/**"], "the wildcard makes the file work in any namespace"
    assert flat(tree["/**"]["ros__parameters"]) == DEFAULTS
    assert lines_above_values(text) == [f"# Allowed: {row.allowed}" for row in PARAMETERS.values()]


def test_launch_arguments_are_parameters_and_topics_of_the_node(repository):
    tree = launch_tree(repository, "mask")
    arguments, choices = constant(tree, "PARAMETER_ARGUMENTS"), constant(tree, "CHOICES")
    for name in arguments:
        assert PARAMETERS[name].choices == choices.get(name, ()), name
        assert isinstance(PARAMETERS[name].default, str | bool)
    switches = {name for name in arguments if isinstance(PARAMETERS[name].default, bool)}
    assert set(constant(tree, "SWITCHES")) == switches
    topics = constant(tree, "TOPIC_ARGUMENTS")
    code = (repository / "coarse_loftr_ros/node/mask/activity.py").read_text()
    assert all(f'"{topic}"' in code for topic, _ in topics.values())
    texts = [*arguments.values(), *(text for _, text in topics.values()), *declared(tree).values()]
    assert all(text.endswith(".") for text in texts)
