"""Parts of a document between two markers, made anew while the rest is written by hand."""

from __future__ import annotations

import re
from collections.abc import Callable

__all__ = ["fill_blocks"]


def fill_blocks(text: str, kind: str, make: Callable[[str], str]) -> str:
    """A document with all its blocks of a kind made anew.

    Args:
        text: with blocks that begin with ``<!-- KIND: SUBJECT -->`` and end with
            ``<!-- end of KIND -->``, each on a line of its own.
        kind: one word.
        make: gives what stands in the block of a subject.

    Raises:
        ValueError: when a beginning has no end, or an end no beginning.
    """
    start, end = f"<!-- {kind}:", f"<!-- end of {kind} -->"
    block = re.compile(rf"({start} ([\w ]+) -->\n)(?:(?!{start}).)*?{end}", re.DOTALL)
    if not len(block.findall(text)) == text.count(start) == text.count(end):
        raise ValueError(f"every '{start} SUBJECT -->' must be followed by one '{end}'")
    return block.sub(lambda match: f"{match[1]}{make(match[2])}\n{end}", text)
