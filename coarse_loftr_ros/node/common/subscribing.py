"""Subscriptions that count what the middleware loses."""

from __future__ import annotations

from collections.abc import Callable

from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rclpy.subscription import Subscription

try:
    from rclpy.event_handler import SubscriptionEventCallbacks, UnsupportedEventTypeError
except ImportError:  # Humble
    from rclpy.qos_event import SubscriptionEventCallbacks, UnsupportedEventTypeError

__all__ = ["subscribe", "subscribe_to_latest"]


def subscribe(
    node: Node,
    kind: type,
    topic: str,
    take: Callable[[object], None],
    qos: QoSProfile | int,
    on_lost: Callable[[int], None],
) -> Subscription:
    """Subscribe to a topic.

    Args:
        node: that subscribes.
        kind: of the messages.
        topic: its name.
        take: called on the executor with each message.
        qos: quality of service, or the depth of a reliable one.
        on_lost: called with the number of messages that the middleware lost.
    """
    events = SubscriptionEventCallbacks(
        message_lost=lambda event: on_lost(event.total_count_change)
    )
    try:
        return node.create_subscription(kind, topic, take, qos, event_callbacks=events)
    except UnsupportedEventTypeError:  # not every middleware counts its losses
        return node.create_subscription(kind, topic, take, qos)


def subscribe_to_latest(
    node: Node, kind: type, topic: str, take: Callable[[object], None], depth: int = 1
) -> list[Subscription]:
    """Subscribe to what may be sent once by a latched publisher, or over and over by another.

    A subscription that receives from both kinds does not get what the former sent before: so
    there are two, and what a latched publisher sends now comes twice.

    Args:
        node: that subscribes.
        kind: of the messages.
        topic: its name.
        take: called on the executor with each message.
        depth: messages that may wait, the newest ones.
    """
    latched = QoSProfile(
        depth=depth,
        reliability=ReliabilityPolicy.RELIABLE,
        durability=DurabilityPolicy.TRANSIENT_LOCAL,
    )
    every = QoSProfile(depth=depth, reliability=ReliabilityPolicy.BEST_EFFORT)
    # A publisher that is not latched does not fit the former, which is no news.
    ignoring = SubscriptionEventCallbacks(incompatible_qos=lambda event: None)
    return [
        node.create_subscription(kind, topic, take, qos, event_callbacks=ignoring)
        for qos in (latched, every)
    ]
