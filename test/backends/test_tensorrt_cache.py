"""Engines are built once, kept within a limit, and found again."""

import dataclasses
import json
import os
import shutil
import subprocess
import sys
import time

import pytest

from coarse_loftr_ros.backends.base import BackendError
from coarse_loftr_ros.backends.gpu import Gpu
from coarse_loftr_ros.backends.tensorrt.builder import BuiltEngine
from coarse_loftr_ros.backends.tensorrt.cache import EngineCache, read_engine
from coarse_loftr_ros.backends.tensorrt.library import Library
from coarse_loftr_ros.backends.tensorrt.manifest import EngineIdentity, Manifest, ManifestError


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


def engine_of(size: int) -> BuiltEngine:
    return BuiltEngine(bytes(size), {}, 0.0)


def test_the_engines_not_used_for_longest_are_removed_for_a_new_one(tmp_path, identity):
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


def test_an_engine_in_use_is_never_removed(tmp_path, identity, repository):
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


def test_clear_removes_what_onnxruntime_keeps_by_itself(cache):
    folder = cache.onnxruntime_folder()
    for name in ("TensorrtExecutionProvider_TRTKernel_graph_1_sm90.engine", "a.timing"):
        (folder / name).touch()
    (cache.folder / "notes.txt").touch()  # not ours
    assert cache.clear() == 0
    assert not list(folder.iterdir()) and (cache.folder / "notes.txt").exists()


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
