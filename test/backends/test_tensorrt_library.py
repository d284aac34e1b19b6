"""Which TensorRT is taken, and what is said where there is none."""

import subprocess
import sys

import pytest

from coarse_loftr_ros.backends.tensorrt.library import MODULES, installation_advice, load_library

LOAD = (
    "from coarse_loftr_ros.backends.base import BackendError\n"
    "from coarse_loftr_ros.backends.tensorrt.library import installed_library, load_library\n"
    "try:\n"
    "    print(installed_library(), load_library().title)\n"
    "except BackendError as error:\n"
    "    print(installed_library(), error)\n"
)


def load(repository, hidden=(), path=None):
    """What a process says that loads the library without the hidden modules."""
    hide = f"import sys; sys.modules.update(dict.fromkeys({list(hidden)}))\n"
    extend = f"sys.path.insert(0, {str(path)!r})\n" if path else ""
    done = subprocess.run(
        [sys.executable, "-c", hide + extend + LOAD],
        cwd=repository,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def test_without_any_the_way_to_one_is_said(repository):
    assert load(repository, MODULES) == f"None TensorRT is not installed; {installation_advice()}"


@pytest.mark.parametrize(
    ("system", "machine", "words"),
    [
        ("Linux", "x86_64", "pip install tensorrt, or,"),
        ("Linux", "aarch64", "sudo apt install python3-libnvinfer "),
        ("Darwin", "arm64", "there is no TensorRT for Darwin on arm64"),
    ],
)
def test_the_advice_is_for_the_platform(system, machine, words):
    assert words in installation_advice(system, machine)


def test_a_broken_installation_is_named(repository, tmp_path):
    package = tmp_path / "tensorrt"
    package.mkdir()
    (package / "__init__.py").write_text("raise ImportError('libnvinfer.so.10: no such file')")
    others = [name for name in MODULES if name != "tensorrt"]
    said = load(repository, others, tmp_path)
    assert said.startswith("tensorrt Python module tensorrt cannot be loaded: libnvinfer.so.10")
    assert installation_advice() in said


def test_an_old_installation_is_refused_with_what_is_needed(repository, tmp_path):
    (tmp_path / "tensorrt.py").write_text("__version__ = '8.6.1'")
    others = [name for name in MODULES if name != "tensorrt"]
    assert "TensorRT 8.6.1 is too old, 10.3 is needed" in load(repository, others, tmp_path)


def test_a_folder_of_that_name_is_no_installation(repository, tmp_path):
    (tmp_path / "tensorrt").mkdir()
    others = [name for name in MODULES if name != "tensorrt"]
    assert load(repository, others, tmp_path).startswith("None TensorRT is not installed")


def test_the_installed_one_is_found_behind_a_broken_one(repository, tmp_path, tensorrt_rtx):
    (tmp_path / "tensorrt.py").write_text("raise ImportError('libnvinfer.so.10: no such file')")
    assert load(repository, path=tmp_path) == f"tensorrt {tensorrt_rtx.title}"


def test_a_process_has_one_library_and_one_log(tensorrt_rtx):
    """TensorRT goes on using the first log that it is given."""
    assert load_library() is load_library() is tensorrt_rtx


def test_warnings_are_the_reason_where_there_is_no_error(tensorrt_rtx):
    """Some versions warn that CUDA cannot be initialised, and then return nothing."""
    log, kinds = tensorrt_rtx.log, tensorrt_rtx.module.ILogger
    log.take_errors()
    log.log(kinds.WARNING, "CUDA initialization failure with error: 35")
    log.log(kinds.INFO, "reading the graph")
    assert log.take_errors() == "CUDA initialization failure with error: 35"
    log.log(kinds.WARNING, "a slow layer")
    log.log(kinds.ERROR, "no such layer")
    assert log.take_errors() == "no such layer"
    assert log.take_errors() == "the library gives no reason"
