"""Damage as disks, networks, editors and bad wills do it to files; the same for the same seed."""

from __future__ import annotations

import re

import numpy as np

__all__ = ["damage_bytes", "damage_text"]

_WORDS = [
    b"nan", b"inf", b"-inf", b"1e999", b"-1", b"0", b"", b"9" * 40, b"1" * 5000, b"1_000", b"0x10",
    b"\xff\xfe", b"\xc3\xa9", b"\x00", b"None", b"true", b"[" * 3000, b"{", b"- a: b", b"&a [*a]",
    b'"', b"#", b"1.5.2", b"1,5", b"..", b"/dev/zero", b"../../../etc/passwd",
]  # fmt: skip
# Lengths that cannot be right.
_LENGTHS = [
    b"\xff" * 8,
    b"\x00" * 8,
    (2**60).to_bytes(8, "little"),
    b"\xff\xff\xff\x7f",
    b"\xff" * 4,
]


def damage_bytes(content: bytes, rng: np.random.Generator) -> bytes:
    """One to four injuries to a binary file."""
    data = bytearray(content)
    for _ in range(int(rng.integers(1, 5))):
        place = int(rng.integers(0, len(data) + 1))
        span = int(rng.integers(1, 65))
        kind = rng.integers(0, 8)
        if kind == 0:
            del data[place:]
        elif kind == 1:
            for _ in range(span):
                if data:
                    data[int(rng.integers(len(data)))] = int(rng.integers(256))
        elif kind == 2:
            data[place:place] = rng.bytes(span)
        elif kind == 3:
            del data[place : place + span]
        elif kind == 4:
            word = _LENGTHS[int(rng.integers(len(_LENGTHS)))]
            data[place : place + len(word)] = word
        elif kind == 5:
            data[place:place] = data[place : place + int(rng.integers(1, 4097))]
        elif kind == 6:
            data[place : place + span] = bytes(len(data[place : place + span]))
        elif place < len(data):
            data[place] ^= 1 << int(rng.integers(8))
    return bytes(data)


def damage_text(content: bytes, rng: np.random.Generator) -> bytes:
    """Words and lines of a text that were changed, lost or doubled; now and then bytes, too."""
    if rng.random() < 0.25:
        return damage_bytes(content, rng)
    parts = re.split(rb"(\s+|[,:\[\]{}\"])", content)
    for _ in range(int(rng.integers(1, 4))):
        place = int(rng.integers(len(parts)))
        kind = rng.integers(0, 4)
        if kind < 2:
            parts[place] = _WORDS[int(rng.integers(len(_WORDS)))]
        elif kind == 2:
            del parts[place : place + int(rng.integers(1, 40))]
            parts = parts or [b""]
        else:
            parts[place:place] = parts[place : place + int(rng.integers(1, 40))]
    return b"".join(parts)
