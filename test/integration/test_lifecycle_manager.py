"""A lifecycle manager from outside, as Nav2's, brings nodes up and takes them down."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from lifecycle_msgs.msg import State, Transition
from lifecycle_msgs.srv import ChangeState, GetState
from odometry_harness import OdometryProcess
from ros_harness import Client, NodeProcess

ROUNDS, WARM_UP = 50, 10
MOST_GROWTH_MB = 6.0  # of what the allocator keeps; one round of a leak is more than 1

# Where Nav2's manager expects a node to be after a transition.
EXPECTED = {
    Transition.TRANSITION_CONFIGURE: State.PRIMARY_STATE_INACTIVE,
    Transition.TRANSITION_ACTIVATE: State.PRIMARY_STATE_ACTIVE,
    Transition.TRANSITION_DEACTIVATE: State.PRIMARY_STATE_INACTIVE,
    Transition.TRANSITION_CLEANUP: State.PRIMARY_STATE_UNCONFIGURED,
    Transition.TRANSITION_UNCONFIGURED_SHUTDOWN: State.PRIMARY_STATE_FINALIZED,
}

# How each node is started, with values that make its configure quick.
NODES = {
    "matcher": (NodeProcess, ("network_pixels:=4096", "backend:=onnxruntime", "threads:=1")),
    "odometry": (OdometryProcess, ()),
}


class Manager(Client):
    """Does what nav2_lifecycle_manager does without a bond: asks for a transition, then looks."""

    def __init__(self, process: NodeProcess) -> None:
        super().__init__(process)
        name = process.name
        self._change = self.node.create_client(ChangeState, f"{name}/change_state")
        self._get = self.node.create_client(GetState, f"{name}/get_state")
        self.until(self._change.service_is_ready, "change_state")
        self.until(self._get.service_is_ready, "get_state")
        self.settle()

    def answer(self, client: object, request: object) -> object:
        future = client.call_async(request)
        self.until(future.done, f"the answer to {request}", 30.0)
        return future.result()

    def change(self, *transitions: int) -> bool:
        """Whether each transition was done and led where it should."""
        for number in transitions:
            request = ChangeState.Request()
            request.transition.id = number
            done = self.answer(self._change, request).success
            state = self.answer(self._get, GetState.Request()).current_state
            if not (done and state.id == EXPECTED[number]):
                return False
        return True

    def start_up(self) -> bool:
        return self.change(Transition.TRANSITION_CONFIGURE, Transition.TRANSITION_ACTIVATE)

    def reset(self) -> bool:
        return self.change(Transition.TRANSITION_DEACTIVATE, Transition.TRANSITION_CLEANUP)

    def shut_down(self) -> bool:
        return self.change(Transition.TRANSITION_UNCONFIGURED_SHUTDOWN)


@pytest.fixture(params=NODES)
def manager(request) -> Iterator[Manager]:
    """A manager of a node that waits for it; the node must end well."""
    kind, parameters = NODES[request.param]
    node = kind("/managed", "autostart:=false", *parameters)
    manager = Manager(node)
    try:
        yield manager
        assert node.stop() == 0, node.output
        assert "Traceback" not in node.output
    finally:
        manager.close()
        if node.running:
            node.process.kill()


def memory_mb(process: NodeProcess) -> float:
    pages = int(Path(f"/proc/{process.process.pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def threads(process: NodeProcess) -> int:
    return len(list(Path(f"/proc/{process.process.pid}/task").iterdir()))


def test_fifty_rounds_leave_neither_memory_nor_threads_behind(manager):
    before = (0.0, 0)
    for number in range(ROUNDS):
        assert manager.start_up()
        assert manager.reset()
        if number == WARM_UP:
            before = memory_mb(manager.process), threads(manager.process)
    assert memory_mb(manager.process) - before[0] < MOST_GROWTH_MB
    assert threads(manager.process) <= before[1]
    assert manager.shut_down()
    assert manager.state() == "finalized"


OTHER_MODE = {"matcher": "stereo", "odometry": "planar"}


def test_what_configure_reads_may_change_while_unconfigured_alone(manager):
    mode = OTHER_MODE[manager.process.name]
    assert manager.set_parameter("mode", mode).successful
    assert manager.change(Transition.TRANSITION_CONFIGURE)
    assert_refused(manager, "it is inactive; clean up first")
    assert manager.change(Transition.TRANSITION_ACTIVATE)
    assert_refused(manager, "it is active; deactivate and clean up first")
    assert manager.set_parameter("mode", mode).successful, "nothing changes"
    if mode == "stereo":
        assert manager.node.count_subscribers("left/image") == 1
    assert manager.reset()
    assert manager.set_parameter("mode", "mono").successful
    assert manager.start_up()
    if mode == "stereo":
        assert manager.node.count_subscribers("left/image") == 0


def assert_refused(manager: Manager, state: str) -> None:
    answer = manager.set_parameter("mode", "mono")
    assert not answer.successful
    expected = f"parameter 'mode' may change while the node is unconfigured, and {state}"
    assert answer.reason == expected


def test_what_is_read_at_start_never_changes(manager):
    for name, value in (("autostart", True), ("diagnostics_period", 2.0)):
        answer = manager.set_parameter(name, value)
        assert not answer.successful
        assert "read-only" in answer.reason


# A value that its row allows and configure refuses, the words, and a value that it takes.
UNFIT = {
    "matcher": ("model", "/no/such/folder", "neither a model of the package", "fast"),
    "odometry": ("odom_frame", "base_link", "they must differ", "odom"),
}


def test_a_node_that_could_not_be_configured_can_be_once_the_cause_is_gone(manager):
    name, wrong, words, right = UNFIT[manager.process.name]
    assert manager.set_parameter(name, wrong).successful
    assert not manager.start_up()
    assert manager.state() == "unconfigured"
    manager.process.wait_for_output("cannot configure")
    assert words in manager.process.output
    assert manager.set_parameter(name, right).successful
    assert manager.start_up()


def test_a_value_that_its_row_forbids_is_refused_at_once(manager):
    answer = manager.set_parameter("mode", "three")
    assert not answer.successful
    assert "parameter 'mode' is 'three'; allowed are" in answer.reason
