"""`coarse-loftr engine` with the real library: what it builds, keeps, refuses and shares."""

import fcntl
import os
import resource
import subprocess
import sys

import pytest

pytestmark = pytest.mark.usefixtures("tensorrt_rtx")

BUILD = ("build", "--image-size", "96x64")


@pytest.fixture
def home(tmp_path):
    return tmp_path


def command(*arguments):
    return [sys.executable, "-m", "coarse_loftr_ros", "engine", *arguments]


@pytest.fixture
def run_engine(home):
    def run(*arguments, **options):
        return subprocess.run(
            command(*arguments),
            env={**os.environ, "XDG_CACHE_HOME": str(home)},
            capture_output=True,
            text=True,
            timeout=240,
            **options,
        )

    return run


@pytest.fixture
def folder(home):
    return home / "coarse_loftr_ros" / "engines"


def test_a_folder_of_ones_own_is_filled_and_checked(run_engine, folder, tmp_path):
    own = tmp_path / "robot" / "engines"
    done = run_engine(*BUILD, "--engines", own)
    assert done.returncode == 0, done.stderr
    assert not folder.exists()
    assert {path.suffix for path in own.iterdir() if path.is_file()} >= {".engine", ".json"}
    done = run_engine("verify", "--engines", own)
    assert (done.returncode, done.stdout.count("  intact\n")) == (0, 2)
    next(own.glob("*-encode-*.json")).unlink()
    done = run_engine(*BUILD, "--engines", own)  # an engine without its manifest is not believed
    assert (done.stdout.count("already there"), done.stdout.count("because ")) == (1, 1)


def test_the_life_of_a_cache(run_engine, folder):
    done = run_engine(*BUILD)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count(": built with TensorRT for RTX") == 2
    assert done.stdout.count("there was none") == 2
    assert done.stderr == ""  # no progress where stderr is no terminal

    done = run_engine(*BUILD)
    assert (done.returncode, done.stdout.count(": already there, ")) == (0, 2)

    done = run_engine("verify")
    assert (done.returncode, done.stdout.count("  intact\n")) == (0, 2)

    encode = next(folder.glob("*-encode-*.engine"))
    encode.write_bytes(encode.read_bytes()[:-1])
    match = next(folder.glob("*-match-*.json"))
    match.write_text(match.read_text().replace('"library_version": "1.', '"library_version": "0.'))
    done = run_engine("verify")
    assert done.returncode == 1
    assert f"{encode.name}  damaged: the engine has" in done.stdout
    assert f"{match.stem}.engine  not for this machine: library_version is 0." in done.stdout

    done = run_engine("list")
    assert done.returncode == 0
    assert "2 engines\n" in done.stdout
    assert " GB of at most 2 GB\n" in done.stdout
    assert "tensorrt_rtx 0." in done.stdout and "any GPU" in done.stdout
    assert "will be built again: the engine has" in done.stdout

    done = run_engine(*BUILD)
    assert (done.returncode, done.stdout.count(": built with")) == (0, 2)
    assert done.stdout.count("the one that was there was refused: ") == 2
    assert run_engine("verify").returncode == 0

    done = run_engine("list", "--limit", "0")
    assert " GB without a limit\n" in done.stdout
    done = run_engine("list", "--limit", "-1")
    assert done.returncode == 2 and "'-1' is no limit; it must be 0 to 1000 GB" in done.stderr

    done = run_engine("clear")
    assert (done.returncode, done.stdout) == (0, f"{folder}: 2 engines removed\n")
    done = run_engine(*BUILD, "--optimisation-level", "0", "--workspace", "64")
    assert (done.returncode, done.stdout.count(": built with")) == (0, 2)
    assert run_engine("clear").returncode == 0
    assert [path.name for path in folder.iterdir()] == ["lock"]


def test_two_processes_build_once(home, folder):
    """Both are made to wait for the lock, so that they certainly want it at the same time."""
    folder.mkdir(mode=0o700, parents=True)
    lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)
    environment = {**os.environ, "XDG_CACHE_HOME": str(home)}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    nodes = [
        subprocess.Popen(command(*BUILD), env=environment, text=True, **pipes) for _ in range(2)
    ]
    try:
        for node in nodes:
            assert "waiting for another process" in node.stderr.readline()
        os.close(lock)
        said = [node.communicate(timeout=240)[0] for node in nodes]
    finally:
        for node in nodes:
            node.kill()
    assert [node.returncode for node in nodes] == [0, 0]
    lines = [line for text in said for line in text.splitlines()]
    for graph in ("encode", "match"):
        about = [line for line in lines if f" {graph} 96x64 fp16: " in line]
        assert sum(": built with" in line for line in about) == 1
        assert sum(": already there" in line for line in about) == 1
    assert not list(folder.glob("*.unfinished"))


def test_a_full_disk_is_said_and_leaves_nothing_behind(run_engine, folder):
    """A limit on the size of files fails a write where a full disk would."""
    limit = 1 << 20
    done = run_engine(
        *BUILD, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    )
    assert done.returncode == 1
    assert done.stdout.count(": built with") == 2
    assert done.stdout.count("it could not be kept: ") == 2
    assert [path.name for path in folder.iterdir()] == ["lock"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("build", "--model", "absent"), "model: 'absent' is neither"),
        (
            ("build", "--precision", "int4"),
            "precision is 'int4'; it must be one of auto, fp32, fp16, int8",
        ),
        (("build", "--optimisation-level", "6"), "optimisation_level is 6; it must be 0 to 5"),
        (("build", "--workspace", "0"), "workspace_mib is 0; it must be at least 1"),
        (
            ("build", "--network-pixels", "-4"),
            "network_pixels is -4; it must be 0, or 4096 to 4194304",
        ),
        (("build", "--image-size", "big"), "'big' is no size; write it as 640x480"),
        (("build", "--image-size", "640x0"), "'640x0': both sides must be 1 to 16384 px"),
        (("build", "--image-size", "100000x480"), "'100000x480': both sides must be 1 to 16384 px"),
    ],
)
def test_what_cannot_be_built_is_refused_in_a_sentence(run_engine, arguments, words):
    done = run_engine(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert words in done.stderr.splitlines()[-1]


def test_a_folder_that_others_can_write_is_refused(run_engine, folder):
    folder.mkdir(parents=True)
    folder.chmod(0o777)
    for action in (BUILD, ("list",), ("verify",), ("clear",)):
        done = run_engine(*action)
        assert (done.returncode, done.stdout) == (2, ""), action
        assert "can be written by others (mode 0777)" in done.stderr
