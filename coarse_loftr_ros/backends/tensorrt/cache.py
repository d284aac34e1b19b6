"""Engines on disk: nothing that is found there is used before it is checked.

An engine is code that runs with the user's rights. So the folder belongs to the user alone, every
engine has a manifest with its hash, both are written under other names and then renamed, and
whatever does not fit together is built again.

Run so far: with engines of TensorRT for RTX on machines without a GPU (tests).
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from coarse_loftr_ros.backends.base import BackendError, EngineFolder
from coarse_loftr_ros.backends.tensorrt.builder import BuiltEngine
from coarse_loftr_ros.backends.tensorrt.lease import Lease
from coarse_loftr_ros.backends.tensorrt.manifest import EngineIdentity, Manifest, ManifestError
from coarse_loftr_ros.backends.tensorrt.trusted_files import read_trusted

__all__ = ["CacheUnusableError", "CachedEngine", "CheckedEngine", "EngineCache", "read_engine"]

_ENGINE, _MANIFEST, _CHECK, _UNFINISHED, _LOCK = ".engine", ".json", ".check", ".unfinished", "lock"
_ONNXRUNTIME = "onnxruntime"


class CacheUnusableError(BackendError):
    """The folder cannot be made or locked, as on a read-only disk."""


@dataclass(frozen=True, eq=False)
class CheckedEngine:
    """An engine that fits its manifest, ready to be loaded.

    Attributes:
        data: for TensorRT's runtime.
        manifest: of the engine.
        built: whether it was built just now.
        kept: whether it is in the cache.
        note: for the log: why it was built, which others were removed, and why it could not be kept
            where that is so.
        lease: while it is held, the file is not removed for another.
    """

    data: bytes
    manifest: Manifest
    built: bool = False
    kept: bool = True
    note: str = ""
    lease: Lease | None = None


@dataclass(frozen=True)
class CachedEngine:
    """One engine of the cache, for people.

    Attributes:
        path: of the engine.
        size: in bytes, 0 where there is a manifest alone.
        manifest: ``None`` where it is damaged or missing.
        problem: why the engine will not be loaded; empty when nothing is wrong with the files.
    """

    path: Path
    size: int
    manifest: Manifest | None
    problem: str


def read_engine(path: Path, wanted: EngineIdentity | None = None) -> CheckedEngine:
    """Read an engine and the manifest beside it, trusting neither.

    Args:
        path: of the engine.
        wanted: what it has to be; ``None`` checks the files alone.

    Raises:
        ManifestError: with the reason why the engine must not be loaded.
    """
    manifest = Manifest.from_json(read_trusted(path.with_suffix(_MANIFEST)))
    difference = wanted and manifest.identity.difference(wanted)
    if difference:
        raise ManifestError(f"its {difference}")
    data = read_trusted(path)
    manifest.check(data)
    return CheckedEngine(data, manifest)


class EngineCache:
    """The folder of engines.

    Args:
        folder: of the engines; by default ``coarse_loftr_ros/engines`` in the user's cache
            folder (``XDG_CACHE_HOME``, else ``~/.cache``).
        most_bytes: see ``EngineFolder``.

    Raises:
        BackendError: when the user has neither.
    """

    def __init__(
        self, folder: Path | None = None, most_bytes: int = EngineFolder.most_bytes
    ) -> None:
        self.folder = folder or _users_cache_folder() / "coarse_loftr_ros" / "engines"
        self.most_bytes = most_bytes

    def path(self, identity: EngineIdentity) -> Path:
        """Where the engine of an identity is or would be."""
        return self.folder / (identity.file_stem + _ENGINE)

    def obtain(
        self,
        identity: EngineIdentity,
        build: Callable[[], BuiltEngine],
        on_wait: Callable[[str], None] | None = None,
    ) -> CheckedEngine:
        """The engine from the cache, or a new one where there is none that may be used.

        Of several processes that want the same engine one builds; the others wait and load it.
        An engine that cannot be kept (full disk, no cache folder) is used all the same.

        Args:
            identity: of the engine.
            build: slow; called at most once.
            on_wait: called with a sentence when another process is building.

        Raises:
            BackendError: when the folder is not the user's alone, or from ``build``.
        """
        found: CheckedEngine | str = "there was none"
        try:
            self.check_folder()
            found = self._load(identity)
            if isinstance(found, CheckedEngine):
                return found
            self._prepare()
            with self._locked(on_wait or (lambda sentence: None)):
                found = self._load(identity)  # another process may have built it by now
                if isinstance(found, CheckedEngine):
                    return found
                return self._keep(identity, build(), found)
        except CacheUnusableError as error:
            engine = build()
            note = f"{found}; it could not be kept: {error}"
            return CheckedEngine(engine.data, Manifest.of(identity, engine), True, False, note)

    def kept_check(self, name: str) -> str | None:
        """What ``keep_check`` kept under a name; ``None`` where nothing is that may be read."""
        try:
            self.check_folder()
            return read_trusted(self.folder / (name + _CHECK)).decode()
        except (CacheUnusableError, ManifestError, OSError, UnicodeDecodeError):
            return None

    def keep_check(self, name: str, text: str) -> None:
        """Keep what a check of a backend has found, where that can be kept.

        Raises:
            BackendError: when the folder is not the user's alone.
        """
        with contextlib.suppress(CacheUnusableError, OSError):
            self._prepare()
            self._write(self.folder / (name + _CHECK), text.encode())

    def entries(self) -> list[CachedEngine]:
        """All engines, each checked except for its identity; unfinished ones are not listed."""
        self.check_folder()
        stems = {path.with_suffix("") for path in self._files(_ENGINE, _MANIFEST)}
        return [_entry(stem.with_name(stem.name + _ENGINE)) for stem in sorted(stems)]

    def clear(self) -> int:
        """Remove everything, and say how many engines that were.

        Waits for a process that is building. The lock itself stays: another process may be about
        to take it.
        """
        if not self.folder.is_dir():
            return 0
        self.check_folder()
        with self._locked(lambda sentence: None):
            count = len(self._files(_ENGINE))
            own = self._files(_MANIFEST, _ENGINE, _CHECK, _UNFINISHED)
            for path in (*own, *(self.folder / _ONNXRUNTIME).glob("*")):
                path.unlink(missing_ok=True)
        return count

    def check_folder(self) -> None:
        """Refuse a folder into which somebody else can write.

        Raises:
            BackendError: naming the folder, what is wrong and what to do.
        """
        try:
            found = self.folder.stat()
        except (FileNotFoundError, NotADirectoryError):
            return
        except OSError as error:
            raise CacheUnusableError(f"engine cache {self.folder}: {error}") from error
        if found.st_uid != os.geteuid():
            raise BackendError(
                f"engine cache {self.folder} belongs to user {found.st_uid}, not to the one that "
                f"runs this ({os.geteuid()}); set XDG_CACHE_HOME to a folder of your own"
            )
        if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            raise BackendError(
                f"engine cache {self.folder} can be written by others (mode "
                f"{stat.S_IMODE(found.st_mode):04o}), who could put a program of theirs in an "
                f"engine's place; look through it, then chmod 700 {self.folder}"
            )

    def onnxruntime_folder(self) -> Path:
        """A folder within this one, for what ONNX Runtime's TensorRT provider keeps by itself.

        Raises:
            BackendError: when somebody else can write there, or it cannot be made.
        """
        inner = EngineCache(self.folder / _ONNXRUNTIME)
        self._prepare()
        inner._prepare()
        return inner.folder

    def _load(self, identity: EngineIdentity) -> CheckedEngine | str:
        """The engine, or why there is none that may be used."""
        path = self.path(identity)
        try:
            found, lease = read_engine(path, identity), None
            with contextlib.suppress(OSError):  # as on a read-only disk
                lease = Lease(path)
                os.utime(path)  # the newest is what was used last
            return replace(found, lease=lease)
        except FileNotFoundError:
            return "there was none"
        except (ManifestError, OSError) as error:
            return f"the one that was there was refused: {error}"

    def _prepare(self) -> None:
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise CacheUnusableError(f"engine cache {self.folder}: {error}") from error
        self.check_folder()

    @contextlib.contextmanager
    def _locked(self, on_wait: Callable[[str], None]) -> Iterator[None]:
        """Hold the cache's only lock; the system frees it when its holder dies.

        One lock for all engines: two builds at a time on one GPU would disturb the timings by
        which the builder chooses.
        """
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        with contextlib.ExitStack() as stack:
            try:
                lock = os.open(self.folder / _LOCK, flags, 0o600)
                stack.callback(os.close, lock)
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    on_wait(f"waiting for another process that uses the engine cache {self.folder}")
                    fcntl.flock(lock, fcntl.LOCK_EX)
            except OSError as error:
                raise CacheUnusableError(f"engine cache {self.folder}: {error}") from error
            yield

    def _keep(self, identity: EngineIdentity, engine: BuiltEngine, reason: str) -> CheckedEngine:
        """Write an engine and its manifest, in this order: an engine alone is never loaded."""
        manifest = Manifest.of(identity, engine)
        path = self.path(identity)
        kept, lease = True, None
        try:
            for unfinished in self._files(_UNFINISHED):  # of processes that died: we have the lock
                unfinished.unlink(missing_ok=True)
            self._write(path, engine.data)
            self._write(path.with_suffix(_MANIFEST), manifest.to_json().encode())
            with contextlib.suppress(OSError):  # on a file system without locks
                lease = Lease(path)
            reason += self._evict()
        except OSError as error:
            kept, reason = False, f"{reason}; it could not be kept: {error}"
        return CheckedEngine(engine.data, manifest, True, kept, reason, lease)

    def _evict(self) -> str:
        """Remove the least recently used engines, but none in use; for the log."""
        engines = [(path.lstat(), path) for path in self._files(_ENGINE)]
        total, removed = sum(found.st_size for found, _ in engines), []
        for found, path in sorted(engines, key=lambda engine: engine[0].st_mtime_ns):
            if not self.most_bytes or total <= self.most_bytes:
                break
            if Lease.held(path):
                continue
            path.unlink(missing_ok=True)
            path.with_suffix(_MANIFEST).unlink(missing_ok=True)
            total -= found.st_size
            removed.append(path.name)
        limit = f"{self.most_bytes / 1e9:g} GB"
        return f"; removed for the limit of {limit}: {', '.join(removed)}" if removed else ""

    def _write(self, path: Path, data: bytes) -> None:
        """Put a whole file in its place or none."""
        handle, name = tempfile.mkstemp(_UNFINISHED, "", self.folder)  # mode 0600
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
        folder = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def _files(self, *suffixes: str) -> list[Path]:
        if not self.folder.is_dir():
            return []
        return sorted(path for path in self.folder.iterdir() if path.suffix in suffixes)


def _users_cache_folder() -> Path:
    base = os.environ.get("XDG_CACHE_HOME", "")
    if base.startswith("/"):
        return Path(base)
    try:
        return Path.home() / ".cache"
    except RuntimeError as error:  # a container's user without a name
        raise BackendError(f"engine cache: {error}; set XDG_CACHE_HOME") from error


def _entry(path: Path) -> CachedEngine:
    manifest, problem, size = None, "", 0
    try:
        with contextlib.suppress(FileNotFoundError):
            size = path.lstat().st_size
        manifest = Manifest.from_json(read_trusted(path.with_suffix(_MANIFEST)))
        manifest.check(read_trusted(path))
    except FileNotFoundError as error:
        problem = f"{Path(error.filename).name} is missing"
    except (ManifestError, OSError) as error:
        problem = str(error)
    return CachedEngine(path, size, manifest, problem)
