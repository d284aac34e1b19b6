"""The embedded message definitions are those of the message package."""

import json
from pathlib import Path

import pytest
from rosbags.typesys import get_types_from_msg

from coarse_loftr_ros.recordings.bags.types import DEFINITIONS, typestore


@pytest.mark.parametrize("name", sorted(DEFINITIONS))
def test_definitions_equal_those_of_the_message_package(name: str, repository: Path) -> None:
    file = repository / "coarse_loftr_msgs" / "msg" / f"{name.rsplit('/', 1)[1]}.msg"
    assert get_types_from_msg(DEFINITIONS[name], name) == get_types_from_msg(file.read_text(), name)


def test_every_message_of_the_package_is_embedded(repository: Path) -> None:
    files = (repository / "coarse_loftr_msgs" / "msg").glob("*.msg")
    assert {f"coarse_loftr_msgs/msg/{file.stem}" for file in files} == set(DEFINITIONS)


@pytest.mark.parametrize("name", sorted(DEFINITIONS))
def test_type_hashes_equal_those_of_the_built_messages(name: str) -> None:
    built = pytest.importorskip("coarse_loftr_msgs", reason="messages are not built here")
    if built.__file__ is None:
        pytest.skip("only the source folder of the messages is here")
    file = f"share/coarse_loftr_msgs/msg/{name.rsplit('/', 1)[1]}.json"
    (path,) = (p / file for p in Path(built.__file__).parents if (p / file).is_file())
    description = json.loads(path.read_text())
    hashes = {entry["type_name"]: entry["hash_string"] for entry in description["type_hashes"]}
    assert typestore().hash_rihs01(name) == hashes[name]
