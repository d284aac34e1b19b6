"""Which images are kept out of training, decided by their names alone."""

from __future__ import annotations

import hashlib
from pathlib import Path

__all__ = ["held_out"]

_SHARE = 0.08


def held_out(path: Path) -> bool:
    """Whether an image belongs to the held-out split, about 8 % of any collection.

    The rule hashes ``<folder>/<file name>``, so it does not depend on where the collection lies,
    on its order or on what else it holds. Training leaves these images out; evaluation uses
    nothing else.
    """
    name = f"{path.parent.name}/{path.name}"
    digest = hashlib.sha1(name.encode(), usedforsecurity=False).digest()
    return int.from_bytes(digest[:4], "big") < _SHARE * 2**32
