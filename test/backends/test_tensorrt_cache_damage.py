"""What is found in the cache is checked; whatever is wrong with it, a right engine comes out."""

import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from coarse_loftr_ros.backends.base import BackendError
from coarse_loftr_ros.backends.tensorrt.cache import EngineCache, read_engine
from coarse_loftr_ros.backends.tensorrt.manifest import ManifestError


def must_not_build():
    raise AssertionError("the engine was there and was not used")


OTHER_USER = 54321


def flip_a_bit(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def truncate(path):
    os.truncate(path, path.stat().st_size // 2)


def write_another_engine(path):
    path.write_bytes(b"ftrt" + path.read_bytes())


def edit_manifest(**changes):
    def edit(path):
        manifest = path.with_suffix(".json")
        values = json.loads(manifest.read_text())
        for key, value in changes.items():
            (values["identity"] if key in values["identity"] else values)[key] = value
        manifest.write_text(json.dumps(values))

    return edit


def write_manifest(text):
    return lambda path: path.with_suffix(".json").write_text(text)


def let_others_write(path):
    path.chmod(0o666)


def link_elsewhere(path):
    elsewhere = path.with_name("elsewhere")
    path.rename(elsewhere)
    path.symlink_to(elsewhere)


def put_a_pipe(path):
    path.unlink()
    os.mkfifo(path)


DAMAGES = {
    "a flipped bit": (flip_a_bit, "sha256 is not the one"),
    "a truncated engine": (truncate, "its manifest says"),
    "an empty engine": (lambda path: path.write_bytes(b""), "has 0 bytes"),
    "an engine from elsewhere": (write_another_engine, "its manifest says"),
    "another library version": (edit_manifest(library_version="1.6.0.1"), "library_version is 1.6"),
    "another library": (edit_manifest(library="tensorrt"), "library is tensorrt, not"),
    "another GPU": (edit_manifest(gpu="Orin"), "gpu is Orin, not any"),
    "another platform": (edit_manifest(platform="linux-aarch64"), "platform is linux-aarch64"),
    "another graph": (edit_manifest(onnx_sha256="0" * 64), "onnx_sha256 is 000"),
    "another precision": (edit_manifest(precision="fp16v1"), "precision is fp16v1, not fp32"),
    "a later format": (edit_manifest(format=99), "format is 99, not 1"),
    "a value of another type": (edit_manifest(gpu=7), "gpu is 7, not a str"),
    "a manifest of noise": (write_manifest("\x00{]"), "cannot be read"),
    "a manifest that is a list": (write_manifest("[]"), "cannot be read"),
    "a manifest of nested lists": (write_manifest("[" * 100_000), "cannot be read"),
    "an empty manifest": (write_manifest(""), "cannot be read"),
    "an engine alone": (lambda path: path.with_suffix(".json").unlink(), "there was none"),
    "a manifest alone": (lambda path: path.unlink(), "there was none"),
    "an engine others can write": (let_others_write, "written by others (mode 0666)"),
    "a link to elsewhere": (link_elsewhere, "symbolic links"),
    "a pipe": (put_a_pipe, "is not a regular file"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_what_is_wrong_is_built_again(filled, identity, small_engine, damage):
    cache, path = filled
    do, reason = DAMAGES[damage]
    do(path)
    rebuilt = cache.obtain(identity, lambda: small_engine)
    assert rebuilt.built and rebuilt.kept
    assert reason in rebuilt.note
    assert rebuilt.data == small_engine.data
    assert not cache.obtain(identity, must_not_build).built


@pytest.mark.parametrize("position", range(0, 100, 9))
def test_a_flipped_bit_anywhere_is_noticed(filled, position):
    _, path = filled
    data = bytearray(path.read_bytes())
    data[position * (len(data) - 1) // 100] ^= 1 << position % 8
    path.write_bytes(data)
    with pytest.raises(ManifestError, match="sha256"):
        read_engine(path)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files to another user")
def test_an_engine_of_another_user_is_built_again(filled, identity, small_engine):
    cache, path = filled
    os.chown(path, OTHER_USER, -1)
    rebuilt = cache.obtain(identity, lambda: small_engine)
    assert rebuilt.built and f"belongs to user {OTHER_USER}" in rebuilt.note


def test_a_folder_of_another_user_is_refused(tmp_path, identity):
    folder = Path("/")  # of root
    if os.geteuid() == 0:
        folder = tmp_path
        os.chown(folder, OTHER_USER, -1)
    with pytest.raises(BackendError, match=r"belongs to user \d+, .* set XDG_CACHE_HOME"):
        EngineCache(folder).obtain(identity, must_not_build)


@pytest.mark.parametrize("mode", [0o770, 0o707, 0o777, 0o1777])
def test_a_folder_that_others_can_write_is_refused(filled, identity, mode):
    cache, _ = filled
    cache.folder.chmod(mode)
    for use in (
        lambda: cache.obtain(identity, must_not_build),
        cache.entries,
        cache.clear,
    ):
        with pytest.raises(BackendError, match=rf"mode {mode:04o}.*chmod 700"):
            use()


def test_entries_say_what_is_wrong_with_each(filled, identity, small_engine):
    cache, path = filled
    other = dataclasses.replace(identity, graph="match")
    cache.obtain(other, lambda: small_engine)
    flip_a_bit(path)
    (cache.folder / "orphan.json").write_text("{}")
    found = {entry.path.name: entry for entry in cache.entries()}
    assert "sha256" in found.pop(path.name).problem
    assert found.pop("orphan.engine").problem
    (intact,) = found.values()
    assert intact.problem == "" and intact.size == len(small_engine.data)
    assert intact.manifest.identity == other


WRITE_FOR_EVER = """
import dataclasses, json, sys
from pathlib import Path
from coarse_loftr_ros.backends.tensorrt.builder import BuiltEngine
from coarse_loftr_ros.backends.tensorrt.cache import EngineCache
from coarse_loftr_ros.backends.tensorrt.manifest import EngineIdentity
cache = EngineCache(Path(sys.argv[1]))
identity = EngineIdentity(**json.loads(sys.argv[2]))
turn = 0
while True:
    turn += 1
    cache.path(identity).with_suffix(".json").unlink(missing_ok=True)
    cache.obtain(identity, lambda: BuiltEngine(bytes([turn % 251]) * (32 << 20), {}, 0.0))
"""


def test_a_process_killed_while_it_writes_leaves_nothing_that_is_loaded(
    cache, identity, small_engine, repository
):
    """Killed four times while the unfinished file is seen to grow."""
    arguments = (str(cache.folder), json.dumps(dataclasses.asdict(identity)))
    for _ in range(4):
        command = [sys.executable, "-c", WRITE_FOR_EVER, *arguments]
        writer = subprocess.Popen(command, cwd=repository)
        deadline = time.monotonic() + 60
        while not any(
            path.stat().st_size for path in list(cache.folder.glob("*.unfinished")) if path.exists()
        ):
            assert writer.poll() is None and time.monotonic() < deadline
        writer.send_signal(signal.SIGKILL)
        writer.wait()
        try:
            left = read_engine(cache.path(identity), identity)
        except (FileNotFoundError, ManifestError):
            continue
        assert left.data == left.data[:1] * (32 << 20)  # whole, of one turn
    cache.path(identity).with_suffix(".json").unlink(missing_ok=True)
    assert cache.obtain(identity, lambda: small_engine).kept  # the lock died with its holder
    assert not list(cache.folder.glob("*.unfinished"))
    assert cache.obtain(identity, must_not_build).data == small_engine.data
