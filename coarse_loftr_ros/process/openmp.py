"""How the threads of OpenMP wait for each other."""

from __future__ import annotations

import os

__all__ = ["let_threads_sleep"]


def let_threads_sleep() -> None:
    """Ask OpenMP that threads without work sleep; before a library that uses it is imported.

    By default they compute between two layers of a network: on a machine with other work an image
    takes 5 to 10 times as long, and of the CPU as well. What the user has set is kept.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
