"""What files hold, in a few characters."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

__all__ = ["files_digest"]


def files_digest(files: Iterable[str | Path]) -> str:
    """20 hexadecimal digits that change with the contents of the files or their order."""
    digest = hashlib.sha256()
    for file in files:
        digest.update(hashlib.sha256(Path(file).read_bytes()).digest())
    return digest.hexdigest()[:20]
