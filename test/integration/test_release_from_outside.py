"""Rounds of a lifecycle manager, seen from outside of the process."""

from __future__ import annotations

from pathlib import Path

from lifecycle_msgs.msg import Transition
from ros_harness import MatcherClient, scene, view

PICTURE = scene()
UP = Transition.TRANSITION_CONFIGURE, Transition.TRANSITION_ACTIVATE
DOWN = Transition.TRANSITION_DEACTIVATE, Transition.TRANSITION_CLEANUP


def memory_and_threads(client: MatcherClient) -> tuple[float, int]:
    """Resident memory in MiB, and threads."""
    status = Path(f"/proc/{client.process.process.pid}/status").read_text()
    memory, threads = (int(status.split(name)[1].split()[0]) for name in ("VmRSS:", "Threads:"))
    return memory / 1024, threads


def test_a_network_that_was_cleaned_up_takes_its_memory_and_threads_with_it(start):
    _, client = start("/rounds", "autostart:=false", "freshness:=all", active=False)
    seen = []
    for _ in range(12):
        for number in UP:
            assert client.transition(number)
        client.connect()
        client.send(client.message(view(PICTURE, 0, 0)))
        client.match(client.message(view(PICTURE, 4, 0)))
        for number in DOWN:
            assert client.transition(number)
        seen.append(memory_and_threads(client))
    assert len({threads for _, threads in seen}) == 1
    # The allocator needs some rounds to have what it wants; eight networks would be 200 MiB.
    assert seen[-1][0] - seen[3][0] < 20
