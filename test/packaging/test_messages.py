"""The message definitions agree with the core and explain themselves."""

import re
from pathlib import Path

import pytest

from coarse_loftr_ros.matching.result import Status

MESSAGES = Path(__file__).resolve().parents[2] / "coarse_loftr_msgs" / "msg"


@pytest.mark.parametrize("name", ["HomographyStamped", "RelativePose"])
def test_status_constants_are_those_of_the_core(name):
    text = (MESSAGES / f"{name}.msg").read_text()
    constants = dict(re.findall(r"^uint8 ([A-Z]+)=(\d+)", text, re.MULTILINE))
    assert {name: int(value) for name, value in constants.items()} == Status.__members__


def test_the_built_message_has_the_same_constants():
    msg = pytest.importorskip("coarse_loftr_msgs.msg", reason="coarse_loftr_msgs is not built")
    assert {status.name: getattr(msg.HomographyStamped, status.name) for status in Status} == (
        Status.__members__
    )


@pytest.mark.parametrize("name", ["Correspondences", "HomographyStamped", "RelativePose"])
def test_every_field_has_a_comment(name):
    bare = []
    explained = False
    for line in (MESSAGES / f"{name}.msg").read_text().splitlines():
        if line.startswith("#"):
            explained = True
        elif not line:
            explained = False
        elif not explained:
            bare.append(line)
    assert bare == []
