"""`benchmarks/fuzz_files.py` with fewer files of each kind, and what it takes for a leak."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")


def test_no_damaged_file_ends_in_a_traceback(repository: Path) -> None:
    done = subprocess.run(
        [sys.executable, repository / "benchmarks/fuzz_files.py", "40"],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    rows = re.findall(r"^\| ([^|]+) \| (\d+) \| (\d+) \| (\d+) \| (\d+) \| 0 \|", done.stdout, re.M)
    assert len(rows) >= 14
    for name, damaged, *outcomes in rows:
        assert int(damaged) == sum(map(int, outcomes)), name


LEAKING = """
import os, sys, time
sys.path.insert(0, {benchmarks!r})
import fuzz_files
fuzz_files.LIMIT_MB = 50
from damaged_files.kinds import Kind
from pathlib import Path

def make(folder):
    (folder / "a").write_bytes(bytes(range(100)))
    return [folder / "a"]

def read(path):
    {fault}

tally = fuzz_files.fuzz(Kind("a", make, read, (OSError,)), 3, [0])
print(dict(tally.counts), dict(tally.leaks))
"""


@pytest.mark.parametrize(
    ("fault", "found"),
    [
        ("raise KeyError('b')", r"\{\} \{.KeyError in <string>:\d+: 'b'.: 3\}"),
        ("raise OSError('no')", r"\{'refused': 3\} \{\}"),
        ("raise OSError", r"\{\} \{'OSError without a word': 3\}"),
        ("os.abort()", r"\{\} \{'process ended: -6': 3\}"),
        ("bytearray(80 * 2**20)[::4096].count(1)", r"\{\} \{'[78]\d MB of memory': [123]"),
    ],
)
def test_what_leaks_is_found(fault: str, found: str, repository: Path) -> None:
    program = LEAKING.format(benchmarks=str(repository / "benchmarks"), fault=fault)
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "PYTHONFAULTHANDLER": "0"},
    )
    assert done.returncode == 0, done.stderr
    assert re.match(found, done.stdout), done.stdout
