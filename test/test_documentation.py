"""README and docs/odometry.md say what the code does: parameters, commands, topics, services."""

import re
import subprocess
import sys

import pytest
from command_fixtures import commands_of

from coarse_loftr_ros.commands.registry import make_parser
from coarse_loftr_ros.node.common.parameter import Change
from coarse_loftr_ros.node.matcher.parameter_table import PARAMETERS
from coarse_loftr_ros.node.odometry.parameter_table import PARAMETERS as ODOMETRY


@pytest.fixture(scope="module")
def readme(repository):
    return (repository / "README.md").read_text()


def row_of(parameter):
    default = parameter.default
    if isinstance(default, bool):
        default = str(default).lower()
    elif default == "":
        default = '""'
    allowed = parameter.allowed.replace(" | ", ", ")
    return f"| `{parameter.name}` | `{default}` | {allowed} | {parameter.description} |"


NODES = {"matcher": PARAMETERS, "odometry": ODOMETRY}


@pytest.fixture(scope="module")
def odometry_page(repository):
    return (repository / "docs" / "odometry.md").read_text()


@pytest.fixture(scope="module", params=NODES)
def documented(request, readme, odometry_page):
    """A node's table of parameters, and the section that describes it."""
    page = {"matcher": readme, "odometry": odometry_page}[request.param]
    section = page.split("### Parameters", 1)[1].split("\n## ", 1)[0]
    return NODES[request.param], section


def test_every_parameter_has_its_row_under_when_it_may_change(documented):
    parameters, section = documented
    at_start, rest = section.split("Read at configure", 1)
    unconfigured, at_run_time = rest.split("May change at run time", 1)
    parts = {
        Change.AT_START: at_start,
        Change.UNCONFIGURED: unconfigured,
        Change.AT_RUN_TIME: at_run_time,
    }
    for parameter in parameters.values():
        assert row_of(parameter) in parts[parameter.change], parameter.name


def test_no_row_is_left_of_a_parameter_that_is_gone(documented):
    parameters, section = documented
    assert set(re.findall(r"^\| `([a-z0-9_.]+)`", section, re.MULTILINE)) == set(parameters)


def test_every_command_is_named(readme):
    for command in commands_of(make_parser()):
        assert f"`coarse-loftr {command}" in readme


def test_every_make_target_that_is_named_exists(readme, repository):
    makefile = (repository / "Makefile").read_text()
    for target in set(re.findall(r"`make ([a-z-]+)`", readme)):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


@pytest.mark.parametrize(
    "page", ["README.md", "docs/odometry.md", "docs/diagnostics.md", "docs/tutorial.md"]
)
def test_every_file_that_is_linked_exists(repository, page):
    for link in re.findall(r"\]\(([^)#]+)\)", (repository / page).read_text()):
        if not link.startswith("http"):
            assert ((repository / page).parent / link).exists(), link


@pytest.mark.parametrize("node", NODES)
def test_topics_and_services_are_those_of_the_node(readme, odometry_page, repository, node):
    page = {"matcher": readme, "odometry": odometry_page}[node]
    packages = (repository / "coarse_loftr_ros/node" / name for name in ("common", node))
    files = (path for package in packages for path in package.glob("*.py"))
    code = "".join(path.read_text() for path in files)
    names = set(re.findall(r'"(~/[a-z_/]+)"', code))
    assert names
    for name in names:
        assert f"| `{name}` |" in page


def test_topics_that_the_odometry_node_hears_are_listed(odometry_page, repository):
    code = (repository / "coarse_loftr_ros/node/odometry/activity.py").read_text()
    heard = set(re.findall(r'"(matcher/[a-z/]+)"', code))
    heard |= set(re.findall(r'\((?:Odometry|Range), "([a-z_]+)", self', code))
    assert len(heard) == 4
    for topic in heard:
        assert f"| `{topic}` |" in odometry_page


@pytest.fixture(scope="module")
def diagnostics_page(repository):
    return (repository / "docs" / "diagnostics.md").read_text()


def test_every_value_of_diagnostics_is_described(diagnostics_page, repository):
    files = (repository / "coarse_loftr_ros/node").rglob("*diagnostics.py")
    code = "".join(path.read_text() for path in files)
    names = set(re.findall(r'values\[f?"([^"{]+)(?:\{\w+\})?"\]', code))
    names |= set(re.findall(r'^        "([^"]+)": ', code, re.MULTILINE))
    assert len(names) > 20
    for name in names:
        assert f"`{name}" in diagnostics_page, name


def test_every_cause_in_diagnostics_is_described(diagnostics_page, repository):
    package = repository / "coarse_loftr_ros"
    files = [*(package / "node").rglob("*.py"), package / "images/decoding.py"]
    code = "".join(path.read_text() for path in files)
    calls = r"(?:ImageError|_RefusedError|_reject|_leave_out|rejected|reset|survived|report)"
    causes = set(re.findall(calls + r'\(\s*"([a-z_ ]+)"', code))
    causes |= set(re.findall(r'return f"([a-z_]+) changed from', code))
    assert len(causes) > 20
    for cause in causes:
        assert f"`{cause}`" in diagnostics_page, cause


def test_the_example_subscriber_prints_what_it_receives(readme, tmp_path):
    """Runs the README's code as a process and publishes one message to it over DDS."""
    rclpy = pytest.importorskip("rclpy", reason="ROS is not installed (make test has it)")
    import os
    import random
    import time

    from coarse_loftr_msgs.msg import Correspondences

    code = readme.split("```python\n", 1)[1].split("```", 1)[0]
    assert len(code.strip().splitlines()) <= 26
    script = tmp_path / "listener.py"
    script.write_text(code)
    domain = random.randint(120, 200)
    environment = {
        **os.environ,
        "ROS_DOMAIN_ID": str(domain),
        "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST",
    }
    listener = subprocess.Popen(
        [sys.executable, script], env=environment, stdout=subprocess.PIPE, text=True
    )
    context = rclpy.Context()
    try:
        os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
        context.init(domain_id=domain)
        node = rclpy.create_node("talker", context=context)
        publisher = node.create_publisher(Correspondences, "/matcher/correspondences", 10)
        deadline = time.monotonic() + 30
        while publisher.get_subscription_count() == 0 and time.monotonic() < deadline:
            time.sleep(0.05)
        message = Correspondences()
        message.reference_points = [10.0, 10.0, 20.0, 20.0]
        message.current_points = [13.0, 11.0, 90.0, 90.0]
        message.confidence = [0.95, 0.6]
        publisher.publish(message)
        assert listener.stdout.readline() == "1 matches, median motion 3.0 1.0 px\n"
        node.destroy_node()
    finally:
        context.try_shutdown()
        listener.kill()
        listener.wait()
