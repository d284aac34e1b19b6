"""What a file of messages offers, however it is stored."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from coarse_loftr_ros.recordings.bags.damage import Damage

__all__ = ["LATEST_TIME", "Channel", "Storage", "StoredMessage"]

LATEST_TIME = 2**63 - 1
"""Latest time that a recording can have, nanoseconds: the storages write signed 64 bits."""


@dataclass
class Channel:
    """What one publisher wrote.

    Attributes:
        topic: its topic.
        msgtype: its type, such as ``sensor_msgs/msg/Image``.
        encoding: ``cdr`` in ROS 2.
        count: messages, as far as they were found.
    """

    topic: str
    msgtype: str
    encoding: str
    count: int = 0


class StoredMessage(NamedTuple):
    """A message as it lies in a file: its channel's id, its time of recording (ns), its bytes."""

    channel: int
    recorded: int
    raw: bytes


class Storage(Protocol):
    """One file of messages, open."""

    channels: dict[int, Channel]
    """By id."""
    damage: Damage
    """What could not be read so far."""

    def messages(self, wanted: set[int]) -> Iterator[StoredMessage]:
        """Messages of some channels, by time of recording."""
        ...

    def close(self) -> None:
        """Close the file."""
        ...
