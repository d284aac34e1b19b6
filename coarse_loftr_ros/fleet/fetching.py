"""A recording as a local path, and what tells whether it is still the same."""

from __future__ import annotations

import errno
import hashlib
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from coarse_loftr_ros.fleet.settings import FleetError
from coarse_loftr_ros.fleet.sources import Recording, filesystem_of
from coarse_loftr_ros.recordings.errors import RecordingError

__all__ = ["Fetched", "fetched"]

_SAMPLE = 1 << 20  # bytes at both ends of a file that its fingerprint looks at


@dataclass(frozen=True)
class Fetched:
    """A recording on this machine.

    Attributes:
        path: of it.
        size: bytes of all of its files.
        fingerprint: hexadecimal digits that change with names and sizes of its files and with the
            first and last megabyte of the largest one.
    """

    path: Path
    size: int
    fingerprint: str


@contextmanager
def fetched(recording: Recording, scratch: Path | None = None) -> Iterator[Fetched]:
    """A recording as a local path; what is remote is copied, and removed after the block.

    Args:
        recording: local or remote.
        scratch: folder for copies; that of the system unless given.

    Raises:
        RecordingError: when it does not exist.
        FleetError: when there is no room for its copy, which is not the recording's fault.
        OSError: when it cannot be read.
    """
    if "://" not in recording.address:
        yield _looked_at(Path(recording.address))
        return
    files, path = filesystem_of(recording.address)
    if not files.exists(path):
        raise RecordingError(f"{recording.address} does not exist")
    folder = files.isdir(path)
    size = files.du(path) if folder else files.info(path)["size"]
    with tempfile.TemporaryDirectory(prefix="fleet.", dir=scratch) as name:
        local = Path(name) / PurePosixPath(path).name
        free = shutil.disk_usage(name).free
        lacking = (
            f"{recording.address} has {size / 1e9:.1f} GB, and {Path(name).parent} has room for "
            f"{free / 1e9:.1f} GB"
        )
        if size > free:
            raise FleetError(lacking)
        try:
            files.get(path, str(local), recursive=folder)
        except OSError as error:  # others may have taken the room meanwhile
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            raise FleetError(lacking) from error
        yield _looked_at(local)


def _looked_at(path: Path) -> Fetched:
    """See ``Fetched``.

    Raises:
        RecordingError: when there is none.
    """
    if not path.exists():
        raise RecordingError(f"{path} does not exist")
    digest = hashlib.sha256()
    found = sorted(path.rglob("*")) if path.is_dir() else [path]
    sizes = {file: file.stat().st_size for file in found if file.is_file()}
    for file, size in sizes.items():
        name = file.relative_to(path).as_posix() if file != path else ""
        digest.update(f"{name}\0{size}\0".encode("utf-8", "surrogateescape"))
    if sizes:
        largest = max(sizes, key=lambda file: (sizes[file], str(file)))
        with largest.open("rb") as opened:
            digest.update(opened.read(_SAMPLE))
            opened.seek(max(0, sizes[largest] - _SAMPLE))
            digest.update(opened.read(_SAMPLE))
    return Fetched(path, sum(sizes.values()), digest.hexdigest()[:20])
