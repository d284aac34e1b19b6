"""The types of messages for programs without ROS."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from numpy.typing import NDArray
from rosbags.typesys import Stores, get_types_from_msg, get_typestore
from rosbags.typesys.store import Typestore

__all__ = ["BagError", "build", "class_of", "definitions", "typestore"]

# A link to the message package's own files; builds put copies in its place. So a bag is written
# where the message package is not installed.
_DEFINITIONS = Path(__file__).with_name("msg")


class BagError(RuntimeError):
    """A recording that cannot be read or written, in words for the user."""


def definitions() -> dict[str, str]:
    """The text of each definition of ``coarse_loftr_msgs`` by the name of its type."""
    return {
        f"coarse_loftr_msgs/msg/{path.stem}": path.read_text(encoding="utf-8")
        for path in sorted(_DEFINITIONS.glob("*.msg"))
    }


@cache
def typestore() -> Typestore:
    """The types of ROS 2 Kilted and those of this project."""
    store = get_typestore(Stores.ROS2_KILTED)
    for name, definition in definitions().items():
        store.register(get_types_from_msg(definition, name))
    return store


def class_of(name: str) -> Any:
    """The class of a type's name, such as ``std_msgs/msg/Header``."""
    return typestore().types[name]


def build(message_class: type, arrays: Mapping[str, NDArray], **fields: Any) -> Any:
    """A message; see ``MessageFactory.build``."""
    return message_class(**fields, **{name: each.reshape(-1) for name, each in arrays.items()})
