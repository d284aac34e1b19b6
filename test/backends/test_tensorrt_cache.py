"""What is found in the cache is checked; whatever is wrong with it, a right engine comes out."""

import dataclasses
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from coarse_loftr_ros.backends.base import BackendError
from coarse_loftr_ros.backends.gpu import Gpu
from coarse_loftr_ros.backends.tensorrt.builder import BuiltEngine
from coarse_loftr_ros.backends.tensorrt.cache import EngineCache, read_engine
from coarse_loftr_ros.backends.tensorrt.library import Library
from coarse_loftr_ros.backends.tensorrt.manifest import EngineIdentity, Manifest, ManifestError

OTHER_USER = 54321


@pytest.fixture(scope="session")
def identity(tensorrt_rtx):
    return EngineIdentity.here(tensorrt_rtx, None, "fast", "encode", b"graph", "fp32", "96x64")


@pytest.fixture
def cache(tmp_path):
    return EngineCache(tmp_path / "engines")


@pytest.fixture
def filled(cache, identity, small_engine):
    """A cache with the engine in it, and the engine's path."""
    assert cache.obtain(identity, lambda: small_engine).built
    return cache, cache.path(identity)


def must_not_build():
    raise AssertionError("the engine was there and was not used")


def test_an_engine_is_built_once_and_then_loaded(filled, identity, small_engine):
    cache, _ = filled
    again = cache.obtain(identity, must_not_build)
    assert not again.built
    assert again.data == small_engine.data
    assert again.manifest.identity == identity
    assert again.manifest.shapes == small_engine.shapes


def test_folder_and_files_belong_to_the_user_alone(filled):
    cache, path = filled
    assert cache.folder.stat().st_mode & 0o777 == 0o700
    for file in (path, path.with_suffix(".json")):
        assert file.stat().st_mode & 0o777 == 0o600


def test_the_cache_is_in_the_users_cache_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert EngineCache().folder == tmp_path / "coarse_loftr_ros" / "engines"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")  # not allowed by the XDG specification
    monkeypatch.setenv("HOME", str(tmp_path))
    assert EngineCache().folder == tmp_path / ".cache" / "coarse_loftr_ros" / "engines"


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


def test_a_folder_that_cannot_be_made_costs_only_the_keeping(tmp_path, identity, small_engine):
    (tmp_path / "file").touch()
    engine = EngineCache(tmp_path / "file" / "engines").obtain(identity, lambda: small_engine)
    assert engine.built and not engine.kept
    assert "could not be kept" in engine.note
    assert engine.data == small_engine.data


def test_every_part_of_the_identity_but_the_version_has_its_own_file(cache, identity):
    for field in dataclasses.fields(identity):
        other = dataclasses.replace(identity, **{field.name: "other"})
        same_file = cache.path(other) == cache.path(identity)
        assert same_file == (field.name == "library_version"), field.name


def test_a_models_name_cannot_leave_the_folder(cache, identity):
    named = dataclasses.replace(identity, model="../../evil/" + "x" * 300)
    path = cache.path(named)
    assert path.parent == cache.folder and len(path.name) < 120


def test_engines_of_tensorrt_are_bound_to_the_gpu_and_portable_ones_are_not(tensorrt_rtx):
    orin = Gpu("Orin", "8.7")
    bound = Library(tensorrt_rtx.module, "tensorrt", "10.3.0", tensorrt_rtx.log)
    facts = ("fast", "encode", b"graph", "fp32", "96x64")
    identity = EngineIdentity.here(bound, orin, *facts)
    assert (identity.gpu, identity.compute_capability) == ("Orin", "8.7")
    identity = EngineIdentity.here(tensorrt_rtx, orin, *facts)
    assert (identity.gpu, identity.compute_capability) == ("any", "any")


def test_a_manifest_survives_its_file(identity, small_engine):
    manifest = Manifest.of(identity, small_engine)
    assert Manifest.from_json(manifest.to_json()) == manifest


def test_entries_say_what_is_wrong_with_each(filled, identity, small_engine):
    cache, path = filled
    other = dataclasses.replace(identity, graph="match")
    cache.obtain(other, lambda: small_engine)
    flip_a_bit(path)
    (cache.folder / "lonely.json").write_text("{}")
    found = {entry.path.name: entry for entry in cache.entries()}
    assert "sha256" in found.pop(path.name).problem
    assert found.pop("lonely.engine").problem
    (intact,) = found.values()
    assert intact.problem == "" and intact.size == len(small_engine.data)
    assert intact.manifest.identity == other


def engine_of(size: int) -> BuiltEngine:
    return BuiltEngine(bytes(size), {}, 0.0)


def test_the_engines_not_used_for_longest_make_room_for_a_new_one(tmp_path, identity):
    cache = EngineCache(tmp_path / "engines", most_bytes=3000)
    first, second, third, fourth = (
        dataclasses.replace(identity, size=f"{64 * k}x64") for k in range(1, 5)
    )
    for age, each in ((40, first), (30, second), (20, third)):
        assert "removed" not in cache.obtain(each, lambda: engine_of(1000)).note
        os.utime(cache.path(each), (time.time() - age,) * 2)
    cache.obtain(first, must_not_build)  # used once more
    built = cache.obtain(fourth, lambda: engine_of(1000))
    assert f"removed for the limit of 3e-06 GB: {cache.path(second).name}" in built.note
    left = {entry.path for entry in cache.entries()}
    assert left == {cache.path(each) for each in (first, third, fourth)}
    assert not cache.path(second).with_suffix(".json").exists()
    assert (
        not EngineCache(cache.folder, 0).obtain(second, lambda: engine_of(9000)).note.count("rem")
    )


def test_an_engine_in_use_never_makes_room(tmp_path, identity, repository):
    cache = EngineCache(tmp_path / "engines", most_bytes=2000)
    sizes = [dataclasses.replace(identity, size=f"{64 * k}x64") for k in range(1, 5)]
    own = cache.obtain(sizes[0], lambda: engine_of(1500))
    cache.obtain(sizes[1], lambda: engine_of(1500))
    # Another process uses the second.
    code = (
        "import dataclasses, json, sys\n"
        "from pathlib import Path\n"
        "from coarse_loftr_ros.backends.tensorrt.cache import EngineCache\n"
        "from coarse_loftr_ros.backends.tensorrt.manifest import EngineIdentity\n"
        "identity = EngineIdentity(**json.loads(sys.argv[2]))\n"
        "used = EngineCache(Path(sys.argv[1])).obtain(identity, None)\n"
        "print('ready', flush=True)\n"
        "sys.stdin.read()\n"
    )
    arguments = str(cache.folder), json.dumps(dataclasses.asdict(sizes[1]))
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(
        [sys.executable, "-c", code, *arguments], cwd=repository, **pipes
    ) as user:
        assert user.stdout.readline() == "ready\n"
        assert "removed" not in cache.obtain(sizes[2], lambda: engine_of(1500)).note
        user.kill()  # a lease ends with its holder
    del own
    note = cache.obtain(sizes[3], lambda: engine_of(1500)).note
    assert all(cache.path(each).name in note for each in sizes[:3])
    assert [entry.path for entry in cache.entries()] == [cache.path(sizes[3])]


def test_clear_removes_every_engine(filled, identity):
    cache, _ = filled
    assert cache.clear() == 1
    assert cache.entries() == []
    assert EngineCache(cache.folder / "absent").clear() == 0


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


def test_an_engine_built_elsewhere_is_read_with_its_manifest(filled, identity, tmp_path):
    _, path = filled
    given = tmp_path / "given.engine"
    shutil.copy(path, given)
    with pytest.raises(FileNotFoundError, match=r"given\.json"):
        read_engine(given, identity)
    shutil.copy(path.with_suffix(".json"), given.with_suffix(".json"))
    assert read_engine(given, identity).data == path.read_bytes()
    wanted = dataclasses.replace(identity, size="640x480")
    with pytest.raises(ManifestError, match="its size is 96x64, not 640x480"):
        read_engine(given, wanted)


def test_a_failed_build_leaves_the_lock_free(cache, identity, small_engine):
    def fail():
        raise BackendError("no memory")

    with pytest.raises(BackendError, match="no memory"):
        cache.obtain(identity, fail)
    assert cache.obtain(identity, lambda: small_engine).built
