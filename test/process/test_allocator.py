"""Threads do not spread memory over arenas of their own; freed memory is kept until asked for."""

import os
import platform
import subprocess
import sys

import pytest

CODE = """
import sys, threading
from pathlib import Path
from coarse_loftr_ros.process.allocator import limit_arenas
limited = limit_arenas()
def fill():
    kept = [bytes(100_000) for _ in range(20)]
    ready.wait(10)
ready = threading.Barrier(16)
threads = [threading.Thread(target=fill) for _ in range(16)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
# Each further arena is a reservation of 64 MiB.
size = int(Path("/proc/self/status").read_text().split("VmSize:")[1].split()[0]) // 1024
print(limited, size)
"""


def size_with(**environment):
    printed = subprocess.run(
        [sys.executable, "-c", CODE], env=os.environ | environment, capture_output=True, text=True,
        check=True,
    ).stdout.split()  # fmt: skip
    return printed[0], int(printed[1])


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the C library is not glibc")
def test_sixteen_threads_share_two_arenas_unless_the_user_has_decided():
    limited, size = size_with()
    assert limited == "True"
    decided, larger = size_with(MALLOC_ARENA_MAX="16")
    assert decided == "False"
    assert larger > size + 8 * 64
    assert size_with(GLIBC_TUNABLES="glibc.malloc.arena_max=16")[0] == "False"


FREE = """
from pathlib import Path
from coarse_loftr_ros.process.allocator import trim
def mib():
    return int(Path("/proc/self/status").read_text().split("RssAnon:")[1].split()[0]) // 1024
kept = [bytearray(50_000) for _ in range(2000)]
last = bytearray(50_000)
del kept
before = mib()
trim()
print(before - mib())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the C library is not glibc")
def test_free_pages_below_others_in_use_go_back_to_the_system():
    printed = subprocess.run(
        [sys.executable, "-c", FREE], capture_output=True, text=True, check=True
    ).stdout
    assert int(printed) > 80


KEEP = """
from pathlib import Path
from coarse_loftr_ros.process.allocator import keep_freed, trim
def mib():
    return int(Path("/proc/self/status").read_text().split("RssAnon:")[1].split()[0]) // 1024
decided = not keep_freed()
before = mib()
arrays = [b"1" * 1_000_000 for _ in range(40)]
del arrays
kept = mib() - before
trim()
print(decided, kept, mib() - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the C library is not glibc")
@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"MALLOC_TRIM_THRESHOLD_": "131072"},
        {"GLIBC_TUNABLES": "glibc.malloc.mmap_threshold=131072"},
    ],
)
def test_freed_memory_is_kept_until_trimmed_unless_the_user_has_decided(environment):
    printed = subprocess.run(
        [sys.executable, "-c", KEEP], env=os.environ | environment, capture_output=True, text=True,
        check=True,
    ).stdout.split()  # fmt: skip
    decided, kept, left = printed[0] == "True", *map(int, printed[1:])
    assert decided == bool(environment)
    assert left < 5
    assert (kept < 5) if decided else (kept > 30)
