"""Processes of nodes that are measured."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path

__all__ = ["end", "resident_mb"]


def end(node: subprocess.Popen) -> None:
    """End a node, politely at first."""
    node.send_signal(signal.SIGINT)
    try:
        node.wait(10)
    except subprocess.TimeoutExpired:
        node.kill()


def resident_mb(pid: int) -> float:
    """Resident memory of a process, 10^6 bytes."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024 / 1e6
    return 0.0
