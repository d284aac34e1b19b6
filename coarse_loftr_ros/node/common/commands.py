"""Services that answer once the worker has done what was asked."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future as Answer

from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from rclpy.service import Service
from rclpy.task import Future
from std_srvs.srv import Trigger

from coarse_loftr_ros.node.common.defects import Defects

__all__ = ["CommandError", "Commands"]

_NOT_ACTIVE = "nothing was done: the node is not active"


class CommandError(Exception):
    """What was asked could not be done, in words for the client."""


class Commands:
    """``std_srvs/Trigger`` services whose work is done elsewhere while the executor goes on.

    An answer says what was done, or why it was not. A command that has not begun after the
    timeout is taken back. Those that wait when the services close are answered before they go.

    Args:
        node: that owns the services.
        defects: where exceptions of the work that nobody thought of are reported.
        timeout_s: longest time until an answer, seconds.
    """

    def __init__(self, node: Node, defects: Defects, timeout_s: float = 10.0) -> None:
        self._node = node
        self._defects = defects
        self._timeout_s = timeout_s
        # Answers that wait must not keep other callbacks of the node from running.
        self._group = ReentrantCallbackGroup()
        self._clock = Clock(clock_type=ClockType.STEADY_TIME)
        self._services: list[Service] = []
        self._open = 0  # requests without an answer yet
        self._closing = False

    def serve(
        self, name: str, work: Callable[[], str], ask: Callable[[Callable[[], str]], Answer[str]]
    ) -> None:
        """Open a service.

        Args:
            name: of the service.
            work: does what is asked, and returns what was done in words; a ``CommandError`` says
                why it was not.
            ask: hands the work on and returns its answer to come, or raises
                ``CommandError``.
        """

        def do() -> str:
            try:
                return work()
            except CommandError:
                raise
            except Exception as error:
                self._defects.report(f"answering {name}")
                raise CommandError(f"failed: {error}") from error

        async def answer(request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
            if self._closing:  # the worker is gone
                response.message = _NOT_ACTIVE
                return response
            self._open += 1
            try:
                response.success, response.message = await self._answer(ask(do))
            except CommandError as error:
                response.message = str(error)
            # Not reached when the process ends, whose executor abandons what it has begun.
            self._open -= 1
            if self._closing and not self._open:
                # The answer is sent when this returns, and needs the service.
                self._node.executor.create_task(self._destroy)
            return response

        self._services.append(
            self._node.create_service(Trigger, name, answer, callback_group=self._group)
        )

    def close(self) -> None:
        """Close the services, once what was asked has been answered."""
        self._closing = True
        if not self._open:
            self._destroy()

    async def _answer(self, answer: Answer[str]) -> tuple[bool, str]:
        """Success and words of an answer, once it is there or the time is over.

        Raises:
            CommandError: when the work did.
        """
        over = Future()

        def wake(_: object = None) -> None:
            over.set_result(None)
            if self._node.executor is not None:
                self._node.executor.wake()

        timer = self._node.create_timer(self._timeout_s, wake, self._group, self._clock)
        answer.add_done_callback(wake)
        try:
            await over
        finally:
            self._node.destroy_timer(timer)
        if answer.cancel() or answer.cancelled():
            late = f"nothing was done: the node was busy for {self._timeout_s:g} s"
            return False, _NOT_ACTIVE if self._closing else late
        if not answer.done():
            return False, f"not done after {self._timeout_s:g} s, but begun: it may still be done"
        return True, answer.result()

    def _destroy(self) -> None:
        for service in self._services:
            self._node.destroy_service(service)
        self._services.clear()
