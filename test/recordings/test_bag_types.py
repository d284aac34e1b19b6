"""Messages of recordings are those of the message package, which need not be installed."""

import json
from pathlib import Path

import pytest

from coarse_loftr_ros.recordings.bags.types import definitions, typestore

NAMES = sorted(definitions())


def test_definitions_are_the_files_of_the_message_package(repository: Path) -> None:
    files = (repository / "coarse_loftr_msgs" / "msg").glob("*.msg")
    assert definitions() == {f"coarse_loftr_msgs/msg/{f.stem}": f.read_text() for f in files}


@pytest.mark.parametrize("name", NAMES)
def test_type_hashes_equal_those_of_the_built_messages(name: str) -> None:
    built = pytest.importorskip("coarse_loftr_msgs", reason="messages are not built here")
    if built.__file__ is None:
        pytest.skip("only the source folder of the messages is here")
    file = f"share/coarse_loftr_msgs/msg/{name.rsplit('/', 1)[1]}.json"
    (path,) = (p / file for p in Path(built.__file__).parents if (p / file).is_file())
    description = json.loads(path.read_text())
    hashes = {entry["type_name"]: entry["hash_string"] for entry in description["type_hashes"]}
    assert typestore().hash_rihs01(name) == hashes[name]
