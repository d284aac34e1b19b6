"""A node that is sent malformed messages, with a client that knows what is well formed."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable

import numpy as np
from ros_harness import Client, NodeProcess

from reliability.answers import Ledger, not_finite
from reliability.vital_signs import VitalSigns

__all__ = ["BATCH", "Target"]

# All of a batch and what follows it waits in the middleware, which keeps 100 messages.
BATCH = 50
PATIENCE_S = 20.0


class Target(ABC):
    """A node under fuzzing.

    Args:
        namespace: of the node and its client.
        seed: of all that is sent.
    """

    kind = ""
    ready = ""

    def __init__(self, namespace: str, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.process, self.client = self._start(namespace)
        self.vital_signs = VitalSigns(self.process.process.pid)
        self.ledger = Ledger(f"{namespace}/{self.process.name}")
        self.sent = self.good_sent = self.good_answered = 0
        self.longest_wait_s = 0.0
        self.last_batch: list[bytes] = []
        self.faults: list[str] = []

    @abstractmethod
    def _start(self, namespace: str) -> tuple[NodeProcess, Client]:
        """The node and a client."""

    @abstractmethod
    def _spoil(self) -> bytes:
        """Send one malformed message; what was sent."""

    @abstractmethod
    def _well_formed(self) -> Callable[[], bool]:
        """Send what a node in good health answers; whether it was."""

    @property
    @abstractmethod
    def answers(self) -> list[list]:
        """Lists of all messages that were received."""

    def connect(self) -> None:
        """Wait until both know each other, and the first good image is answered."""
        self.process.wait_for_output(self.ready)
        self.client.connect()
        self.settle()

    def send(self, count: int) -> None:
        """Send malformed messages, at most ``BATCH``."""
        self.last_batch = [self._spoil() for _ in range(count)]
        self.sent += count

    def settle(self) -> None:
        """Send good images until one is answered, and look at all that came back."""
        begin = time.monotonic()
        while True:
            answered = self._well_formed()
            self.good_sent += 1
            again = time.monotonic() + 2.0
            while not answered() and time.monotonic() < again:
                self.client.executor.spin_once(0.02)
                if not self.process.running:
                    raise AssertionError(f"ended with {self.process.process.returncode}")
            if answered():
                break
            if time.monotonic() - begin > PATIENCE_S:
                raise AssertionError(f"a good image had no answer for {PATIENCE_S:g} s")
        self.good_answered += 1
        self.longest_wait_s = max(self.longest_wait_s, time.monotonic() - begin)
        self.look()

    def look(self) -> None:
        """Take what has come: answers, diagnostics, vital signs."""
        self.client.executor.spin_once(0.0)
        for messages in self.answers:
            for message in messages:
                for name in not_finite(message):
                    self.faults.append(f"{type(message).__name__}.{name} is not finite")
            messages.clear()
        for message in self.client.diagnostics:
            self.ledger.read(message)
        self.client.diagnostics.clear()
        self.vital_signs.look()

    def end(self) -> None:
        """Stop the node, which must end well."""
        try:
            status = self.process.stop()
            if status != 0:
                self.faults.append(f"exit status {status}")
        except AssertionError as error:
            self.faults.append(str(error).splitlines()[0])
        finally:
            self.client.close()
