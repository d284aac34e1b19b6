"""What a machine lacks is said before anything is installed."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

TOOLS = ("sh", "uname", "getconf", "sed", "cc", "c++", "cmake")


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """A folder of programs that is all the PATH there is."""
    if missing := [tool for tool in TOOLS if not shutil.which(tool)]:
        pytest.skip(f"not on this machine: {', '.join(missing)}")
    for tool in TOOLS:
        (tmp_path / tool).symlink_to(shutil.which(tool))
    return tmp_path


@pytest.fixture
def check(repository: Path, machine: Path):
    """Runs the check on that machine."""

    def run(python: str = sys.executable) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [machine / "sh", repository / "scripts/check-system", python, "python", "wheels",
             "build"],
            env={"PATH": str(machine), "HOME": os.environ.get("HOME", "/")},
            capture_output=True,
            text=True,
            check=False,
        )  # fmt: skip

    return run


def pretend(machine: Path, tool: str, answer: str) -> None:
    """Puts a program that only prints in the place of a tool."""
    (machine / tool).unlink()
    (machine / tool).write_text(f"#!{machine}/sh\necho '{answer}'\n")
    (machine / tool).chmod(0o755)


def test_a_complete_machine_passes_silently(check):
    result = check()
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


@pytest.mark.parametrize(("tool", "package"), [("cmake", "cmake"), ("c++", "build-essential")])
def test_a_missing_tool_is_named_with_its_package(check, machine, tool, package):
    (machine / tool).unlink()
    result = check()
    assert result.returncode == 1
    assert f"apt install {package}" in result.stderr


def test_all_that_is_missing_is_said_at_once(check, machine):
    (machine / "cmake").unlink()
    (machine / "cc").unlink()
    assert check().stderr.count("apt install") == 2


def test_an_old_cmake_is_refused_with_its_version(check, machine):
    pretend(machine, "cmake", "cmake version 3.16.3")
    assert "cmake is 3.16.3" in check().stderr


def test_a_python_that_is_not_there_is_named(check):
    result = check("python3.nine")
    assert result.returncode == 1
    assert "'python3.nine' is not on PATH" in result.stderr


def test_another_platform_is_sent_to_colcon(check, machine):
    pretend(machine, "uname", "aarch64")
    result = check()
    assert result.returncode == 1
    assert "x86_64 Linux only" in result.stderr


def test_an_old_c_library_is_refused(check, machine):
    pretend(machine, "getconf", "glibc 2.27")
    assert "glibc 2.28 or newer" in check().stderr
