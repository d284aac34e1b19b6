"""Documents say what the code does (parameters, messages, commands, topics); links lead on."""

import argparse
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from command_fixtures import commands_of

from coarse_loftr_ros.commands.registry import make_parser
from coarse_loftr_ros.node.common.parameter import Change
from coarse_loftr_ros.node.mask.parameter_table import PARAMETERS as MASK
from coarse_loftr_ros.node.matcher.parameter_table import PARAMETERS
from coarse_loftr_ros.node.odometry.parameter_table import PARAMETERS as ODOMETRY

ROOT = Path(__file__).resolve().parents[1]
PAGES = [
    str(page.relative_to(ROOT))
    for page in (
        ROOT / "README.md",
        *sorted((ROOT / "docs").rglob("*.md")),
        *sorted((ROOT / "coarse_loftr_ros/models").rglob("*.md")),
    )
]
NODES = {"mask": MASK, "matcher": PARAMETERS, "odometry": ODOMETRY}


@pytest.fixture(scope="module")
def readme(repository):
    return (repository / "README.md").read_text()


@pytest.fixture(scope="module")
def reference(repository):
    """The text of each page of docs/reference by its name."""
    return {page.stem: page.read_text() for page in (repository / "docs/reference").glob("*.md")}


def test_the_readme_is_read_in_a_few_minutes(readme):
    assert len(readme.splitlines()) <= 130


def test_the_reference_is_what_make_reference_writes(repository):
    script = repository / "scripts/make_reference.py"
    done = subprocess.run([sys.executable, script, "--check"], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", ""), "run `make reference`"


@pytest.fixture
def checkout(repository, tmp_path):
    """What the reference is made of and from, in another place."""
    for folder in ("docs/reference", "scripts", "coarse_loftr_msgs/msg"):
        shutil.copytree(repository / folder, tmp_path / folder)
    return tmp_path


def make_reference(checkout, *options):
    script = checkout / "scripts/make_reference.py"
    return subprocess.run([sys.executable, script, *options], capture_output=True, text=True)


def test_a_page_that_has_drifted_is_named_and_written_anew(checkout):
    page = checkout / "docs/reference/messages.md"
    right = page.read_text()
    drifted = right.replace("| `confidence` |", "| `certainty` |")
    page.write_text(drifted)
    checked = make_reference(checkout, "--check")
    assert checked.returncode == 1 and checked.stdout.startswith("messages.md: ")
    assert page.read_text() == drifted
    assert make_reference(checkout).stdout == "messages.md: written\n"
    assert page.read_text() == right


@pytest.mark.parametrize(
    ("marker", "sentence"),
    [
        ("<!-- reference: message Correspondences -->", "must be followed by one"),
        ("<!-- reference: message Gone -->\n<!-- end of reference -->", "no subject 'message"),
        ("<!-- reference: parameters matcher -->\n<!-- end of reference -->", "no subject 'param"),
    ],
)
def test_markers_that_cannot_be_are_refused(checkout, marker, sentence):
    (checkout / "docs/reference/messages.md").write_text(marker)
    done = make_reference(checkout)
    assert done.returncode == 1 and "messages.md" in done.stderr and sentence in done.stderr


def row_of(parameter):
    default = parameter.default
    if isinstance(default, bool):
        default = str(default).lower()
    elif default == "":
        default = '""'
    allowed = parameter.allowed.replace(" | ", ", ")
    return f"| `{parameter.name}` | `{default}` | {allowed} | {parameter.description} |"


@pytest.fixture(scope="module", params=NODES)
def documented(request, reference):
    """A node's table of parameters, and the section that describes it."""
    section = reference[request.param].split("\n## Parameters", 1)[1].split("\n## ", 1)[0]
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


def test_every_field_and_constant_of_the_messages_has_its_row(reference, repository):
    definitions = sorted((repository / "coarse_loftr_msgs/msg").glob("*.msg"))
    sections = reference["messages"].split("\n## ")[1:]
    assert [section.split("\n", 1)[0] for section in sections] == [d.stem for d in definitions]
    for definition, section in zip(definitions, sections, strict=True):
        text = definition.read_text()
        declared = re.findall(r"^(\S+) (\w+)(?:=(\d+))?", re.sub("#.*", "", text), re.MULTILINE)
        assert declared
        for kind, name, value in declared:
            row = f"| `{name}` | `{value}` | {kind} |" if value else f"| `{name}` | `{kind}` |"
            assert row in section, name


def test_every_command_is_named(reference):
    for command in commands_of(make_parser()):
        assert f"`coarse-loftr {command}" in reference["commands"]


def parsers(
    parser: argparse.ArgumentParser, words: str = "coarse-loftr"
) -> Iterator[tuple[str, argparse.ArgumentParser]]:
    """Each command that runs, with its parser."""
    nested = [a for a in parser._actions if isinstance(a, argparse._SubParsersAction)]
    for action in nested:
        for name, subparser in action.choices.items():
            yield from parsers(subparser, f"{words} {name}")
    if not nested:
        yield words, parser


def test_every_option_of_every_command_is_listed_and_what_is_shared_is_explained(reference):
    page, shared = reference["commands"].split("### Shared options")
    for words, parser in parsers(make_parser()):
        section = page.split(f"\n### {words}\n", 1)[1].split("\n### ", 1)[0]
        for action in parser._actions:
            if action.option_strings and not isinstance(action, argparse._HelpAction):
                name = max(action.option_strings, key=len)
                assert re.search(rf"`{name}[` ]", section), (words, name)
                if not re.search(rf"^\| `{name}[` ]", section, re.MULTILINE):
                    assert re.search(rf"^\| `{name}[` ]", shared, re.MULTILINE), name


@pytest.mark.parametrize("page", PAGES)
def test_every_make_target_that_is_named_exists(repository, page):
    makefile = (repository / "Makefile").read_text()
    for target in set(re.findall(r"`make ([a-z-]+)`", (repository / page).read_text())):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def anchors(text: str) -> set[str]:
    """The names under which GitHub links to the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", re.sub(r"^```.*?^```", "", text, flags=re.M | re.S), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES)
def test_every_link_leads_to_a_file_and_a_heading_that_exist(repository, page):
    for link in re.findall(r"\]\(([^)]+)\)", (repository / page).read_text()):
        if not link.startswith("http"):
            name, _, anchor = link.partition("#")
            target = (repository / page).parent / name if name else repository / page
            assert target.exists(), link
            assert not anchor or anchor in anchors(target.read_text()), link


@pytest.mark.parametrize("page", PAGES)
def test_every_file_of_the_repository_that_is_named_exists(repository, page):
    folders = "test|benchmarks|lab|config|examples|launch|scripts|coarse_loftr_ros"
    for name in re.findall(rf"`((?:{folders})/[\w/.-]+\.\w+)`", (repository / page).read_text()):
        assert (repository / name).exists(), name


def test_every_document_is_in_the_index(repository):
    index = (repository / "docs/README.md").read_text()
    linked = set(re.findall(r"\]\(([^)#]+)\)", index))
    for page in (repository / "docs").rglob("*.md"):
        name = str(page.relative_to(repository / "docs"))
        assert name in linked or name == "README.md", name


@pytest.mark.parametrize("node", ["matcher", "odometry"])
def test_topics_and_services_are_those_of_the_node(reference, repository, node):
    packages = (repository / "coarse_loftr_ros/node" / name for name in ("common", node))
    files = (path for package in packages for path in package.glob("*.py"))
    code = "".join(path.read_text() for path in files)
    names = set(re.findall(r'"(~/[a-z_/]+)"', code))
    assert names
    for name in names:
        assert f"| `{name}` |" in reference[node]


def test_the_topics_of_the_readme_are_those_of_the_reference(readme, reference):
    topics = re.findall(r"^\| `/(matcher|odometry)/(\w+)` \|", readme, re.MULTILINE)
    assert len(topics) == 3
    for node, name in topics:
        assert f"| `~/{name}` |" in reference[node]


def test_topics_of_the_mask_node_are_listed(reference, repository):
    code = (repository / "coarse_loftr_ros/node/mask/activity.py").read_text()
    topics = set(re.findall(r'(?:Image, |resolve_topic_name\()"([a-z_]+)"', code))
    assert topics == {"image", "mask"}
    for topic in topics:
        assert f"| `{topic}` |" in reference["mask"]


def test_topics_that_the_odometry_node_subscribes_are_listed(reference, repository):
    code = (repository / "coarse_loftr_ros/node/odometry/activity.py").read_text()
    subscribed = set(re.findall(r'"(matcher/[a-z/]+)"', code))
    subscribed |= set(re.findall(r'\((?:Odometry|Range), "([a-z_]+)", self', code))
    assert len(subscribed) == 4
    for topic in subscribed:
        assert f"| `{topic}` |" in reference["odometry"]


def test_every_value_of_diagnostics_is_described(reference, repository):
    files = (repository / "coarse_loftr_ros/node").rglob("*diagnostics.py")
    code = "".join(path.read_text() for path in files)
    names = set(re.findall(r'values\[(?:_of\()?f?"([^"{]+)', code))
    names |= set(re.findall(r'^        "([^"]+)": ', code, re.MULTILINE))
    for listed in re.findall(r"for (?:name|event) in \((\".+\")\):", code):
        names |= set(re.findall(r'"([^"]+)"', listed))
    assert {"reset: ", "unpaired left", "off their row"} <= names
    assert {"input rate (Hz)", "position deviation (", "output rate (Hz)"} <= names
    assert len(names) > 20
    for name in names:
        assert f"`{name}" in reference["diagnostics"], name


def test_every_cause_in_diagnostics_is_described(reference, repository):
    package = repository / "coarse_loftr_ros"
    files = [*(package / "node").rglob("*.py")]
    files += [package / "images/decoding.py", package / "matching/pipeline.py"]
    code = "".join(path.read_text() for path in files)
    calls = r"(?:ImageError|_RefusedError|_reject|_leave_out|reset|survived|report)"
    causes = set(re.findall(calls + r'\(\s*"([a-z_ ]+)"', code))
    causes |= set(re.findall(r'f"([a-z_]+) (?:changed from|went back)', code))
    assert len(causes) > 20
    assert {"time", "resolution", "frame_id", "image size", "handling an image"} <= causes
    for cause in causes:
        assert f"`{cause}`" in reference["diagnostics"], cause


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
