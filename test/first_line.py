"""When a program of this package looks after its signals."""

from __future__ import annotations

import signal
import subprocess
import time
from pathlib import Path


def wait_for_first_line(process: subprocess.Popen) -> None:
    """Wait until the program's own handlers are there: Python by itself handles no SIGTERM.

    Before that a process is Python's, and ends of a signal as any Python program does.
    """
    status = Path(f"/proc/{process.pid}/status")
    while process.poll() is None:
        caught = status.read_text().split("SigCgt:", 1)[1].split()[0]
        if int(caught, 16) >> (signal.SIGTERM - 1) & 1:
            return
        time.sleep(0.002)
    raise AssertionError(f"the program ended by itself with {process.returncode}")
