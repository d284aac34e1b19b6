"""What RViz and Foxglove show is what the nodes publish."""

from __future__ import annotations

import ast
import json
import re

import pytest
import yaml


@pytest.fixture(scope="module")
def published(repository) -> dict[str, str]:
    """Types of the topics of both nodes, under the names that the launch files give them."""
    topics = {"/diagnostics": "DiagnosticArray"}
    for name in ("matcher", "odometry"):
        code = (repository / "coarse_loftr_ros/node" / name / "outputs.py").read_text()
        found = re.findall(r'create_publisher\((\w+), "~/([a-z_/]+)"', code)
        topics |= {f"/{name}/{topic}": type_ for type_, topic in found}
    assert len(topics) > 6
    return topics


@pytest.fixture(scope="module")
def displays(repository) -> list[dict]:
    content = yaml.safe_load((repository / "config/view.rviz").read_text())
    return content["Visualization Manager"]["Displays"]


@pytest.fixture(scope="module")
def layout(repository) -> dict:
    return json.loads((repository / "config/view.foxglove.json").read_text())


def test_rviz_shows_each_topic_by_a_display_of_its_type(displays, published):
    shown = {d["Topic"]["Value"]: d["Class"].split("/")[1] for d in displays if "Topic" in d}
    assert shown == {topic: published[topic] for topic in shown}
    assert set(shown.values()) == {"Image", "Path", "Odometry", "PointCloud2"}
    assert {"TF", "Grid"} <= {d["Class"].split("/")[1] for d in displays}


def test_rviz_shows_the_covariance(displays):
    (odometry,) = (d for d in displays if d["Class"].endswith("/Odometry"))
    covariance = odometry["Covariance"]
    assert covariance["Value"] and covariance["Position"]["Value"]
    assert covariance["Orientation"]["Value"]


def test_rviz_is_remapped_to_every_topic_that_it_shows(displays, repository):
    """So that it finds the nodes by whatever name and in whatever namespace they run."""
    tree = ast.parse((repository / "coarse_loftr_ros/node/launching/view.py").read_text())
    (topics,) = (
        ast.literal_eval(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "topics"
    )
    remapped = {f"/{node}/{topic}" for node, names in topics.items() for topic in names}
    assert remapped == {d["Topic"]["Value"] for d in displays if "Topic" in d}


def topics_of(panel: dict) -> set[str]:
    named = {*panel.get("topics", {}), panel.get("topicToRender", "")}
    named.add(panel.get("imageMode", {}).get("imageTopic", ""))
    named |= {path["value"].split(".")[0] for path in panel.get("paths", [])}
    return named - {""}


def test_every_topic_of_the_foxglove_layout_is_published(layout, published):
    for name, panel in layout["configById"].items():
        topics = topics_of(panel)
        assert topics, name
        assert topics <= set(published), name


def test_foxglove_plots_fields_that_odometry_has(layout):
    messages = pytest.importorskip("nav_msgs.msg", reason="ROS is not installed")
    for panel in layout["configById"].values():
        for path in panel.get("paths", []):
            value = messages.Odometry()
            for field in path["value"].split(".")[1:]:
                name, _, index = field.rstrip("]").partition("[")
                value = getattr(value, name)
                value = value[int(index)] if index else value
            assert float(value) == 0.0


def test_the_foxglove_layout_places_each_of_its_panels_once(layout):
    def panels(node) -> list[str]:
        return [node] if isinstance(node, str) else panels(node["first"]) + panels(node["second"])

    assert sorted(panels(layout["layout"])) == sorted(layout["configById"])
    kinds = {name.split("!")[0] for name in layout["configById"]}
    assert kinds == {"3D", "Image", "DiagnosticSummary", "Plot"}
