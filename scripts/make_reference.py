#!/usr/bin/env python3
"""Writes the tables of docs/reference/ from parameter tables, message definitions and parsers.

    python scripts/make_reference.py            # write them
    python scripts/make_reference.py --check    # exit status 1 where a page is not what it writes

A page says where a table goes with two lines, and what is between them is made anew; the rest of
the page is written by hand::

    <!-- reference: parameters matcher at run time -->
    <!-- end of reference -->

A subject is ``parameters NODE WHEN``, ``message NAME`` or ``commands``.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from coarse_loftr_ros.commands.registry import installed_commands, make_parser
from coarse_loftr_ros.files.whole_files import whole_file
from coarse_loftr_ros.node.common.parameter import Change, Parameter, Table
from coarse_loftr_ros.node.mask.parameter_table import PARAMETERS as MASK
from coarse_loftr_ros.node.matcher.parameter_table import PARAMETERS as MATCHER
from coarse_loftr_ros.node.odometry.parameter_table import PARAMETERS as ODOMETRY

REPOSITORY = Path(__file__).resolve().parents[1]
PAGES = REPOSITORY / "docs" / "reference"
MESSAGES = REPOSITORY / "coarse_loftr_msgs" / "msg"
_NODES = {"mask": MASK, "matcher": MATCHER, "odometry": ODOMETRY}
_WHEN = {
    "at start": Change.AT_START,
    "unconfigured": Change.UNCONFIGURED,
    "at run time": Change.AT_RUN_TIME,
}


def main() -> int:
    """Write the pages, or compare them with what would be written."""
    parser = argparse.ArgumentParser(description="Write the tables of docs/reference/.")
    parser.add_argument("--check", action="store_true", help="write nothing; 1 where pages differ")
    check = parser.parse_args().check
    if not installed_commands():
        sys.exit("make_reference: its commands are documented too: pip install ./lab")
    stale = 0
    for page in sorted(PAGES.glob("*.md")):
        before = page.read_text()
        try:
            after = fill(before)
        except ValueError as error:
            sys.exit(f"make_reference: {page.name}: {error}")
        if after == before:
            continue
        stale += 1
        print(f"{page.name}: {'is not what `make reference` writes' if check else 'written'}")
        if not check:
            with whole_file(page) as new:
                new.write_text(after)
    return int(check and stale > 0)


def fill(text: str) -> str:
    """A page with all its tables made anew.

    Raises:
        ValueError: when a marker has no end, an end no marker, or a subject is unknown.
    """
    from coarse_loftr_lab.evaluation.marked_blocks import fill_blocks

    return fill_blocks(text, "reference", _made)


def _made(subject: str) -> str:
    kind, *words = subject.split()
    if kind == "parameters" and words:
        node, when = words[0], " ".join(words[1:])
        if node in _NODES and when in _WHEN:
            return parameters(_NODES[node], _WHEN[when])
    if kind == "message" and len(words) == 1 and (MESSAGES / f"{words[0]}.msg").is_file():
        return message((MESSAGES / f"{words[0]}.msg").read_text())
    if subject == "commands":
        return commands(make_parser())
    raise ValueError(
        f"there is no subject '{subject}'; allowed are 'commands', 'message NAME' of "
        f"{MESSAGES.name}/, and 'parameters NODE WHEN' with {', '.join(_NODES)} and "
        f"{', '.join(_WHEN)}"
    )


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    cells = [head, ["---"] * len(head), *rows]
    lines = (" | ".join(cell.replace("|", r"\|") for cell in row) for row in cells)
    return "\n".join(f"| {line} |" for line in lines)


# Parameters


def parameters(table: Table, change: Change) -> str:
    """The parameters of a node that may change at a time."""
    rows = (_parameter(row) for row in table.values() if row.change is change)
    return _table(("parameter", "default", "allowed", "meaning"), rows)


def _parameter(row: Parameter) -> tuple[str, str, str, str]:
    default = str(row.default).lower() if isinstance(row.default, bool) else row.default
    allowed = row.allowed.replace(" | ", ", ")
    return f"`{row.name}`", f"`{default}`" if default != "" else '`""`', allowed, row.description


# Messages


def message(definition: str) -> str:
    """What a .msg file says: its first comment as text, its constants and its fields as tables.

    A comment on the lines before a field is of that field; one before constants is their title.
    A comment on the same line is of that field or constant alone.
    """
    parts: list[str] = []
    fields: list[tuple[str, str, str]] = []
    for block in re.split(r"\n\s*\n", definition.strip()):
        lines = block.splitlines()
        comment = [line[1:].strip() for line in lines if line.startswith("#")]
        declared = [line for line in lines if line.strip() and not line.startswith("#")]
        constants = [re.match(r"(\S+)\s+(\w+)=(\S+)\s*(?:#\s*(.*))?$", line) for line in declared]
        if not declared:
            parts += [" ".join(text.split()) for text in "\n".join(comment).split("\n\n")]
        elif all(constants):
            rows = ((f"`{c[2]}`", f"`{c[3]}`", c[1], c[4] or "") for c in constants if c)
            parts += [" ".join(comment), _table(("constant", "value", "type", "meaning"), rows)]
        else:
            for line in declared:
                declaration, _, note = line.partition("#")
                kind, name, *_ = declaration.split()
                meaning = " ".join([*comment, note.strip()]).strip()
                fields.append((f"`{name}`", f"`{kind}`", meaning))
    return "\n\n".join([*parts, _table(("field", "type", "meaning"), fields)])


# Commands


@dataclass(frozen=True)
class _Option:
    """An option or a positional argument: its long name, how it is written, what it means."""

    name: str
    written: str
    meaning: str

    @property
    def row(self) -> tuple[str, str]:
        return self.written, self.meaning


@dataclass(frozen=True)
class _Command:
    words: str
    description: str
    usage: str
    options: tuple[_Option, ...]


def commands(parser: argparse.ArgumentParser) -> str:
    """Each command with its options; what several commands say alike of an option stands once."""
    found = list(_commands(parser, parser.prog))
    uses = Counter(option for command in found for option in command.options)
    shared: dict[str, _Option] = {}
    for option, count in uses.most_common():
        if count > 1 and option.name.startswith("-"):
            shared.setdefault(option.name, option)
    head = ("option", "what")
    parts = []
    for command in found:
        own = [option.row for option in command.options if shared.get(option.name) != option]
        common = [f"`{option.name}`" for option in command.options if option.row not in own]
        parts += [f"### {command.words}", f"`{command.usage}`", command.description]
        if own:
            parts.append(_table(head, own))
        if common:
            parts.append(f"[Shared](#shared-options): {', '.join(common)}.")
    rows = (shared[name].row for name in sorted(shared))
    return "\n\n".join([*parts, "### Shared options", _table(head, rows)])


def _commands(parser: argparse.ArgumentParser, words: str, title: str = "") -> Iterator[_Command]:
    subcommands = [a for a in parser._actions if isinstance(a, argparse._SubParsersAction)]
    for action in subcommands:
        titles = {choice.dest: choice.help or "" for choice in action._choices_actions}
        for name, subparser in action.choices.items():
            yield from _commands(subparser, f"{words} {name}", titles[name])
    if subcommands:
        return
    actions = [a for a in parser._actions if not isinstance(a, argparse._HelpAction)]
    needed = [_written(a)[0] for a in actions if a.required]
    optional = ["[OPTIONS]"] if any(not a.required for a in actions) else []
    description = parser.description or f"{title[:1].upper()}{title[1:]}."
    yield _Command(
        words=words,
        description=" ".join(description.split()) % {"prog": parser.prog},
        usage=" ".join([words, *needed, *optional]),
        options=tuple(_option(action) for action in actions if action.help),
    )


def _option(action: argparse.Action) -> _Option:
    written = _written(action)
    text = " ".join(str(action.help).split()) % vars(action)
    return _Option(written[0].split()[0], ", ".join(f"`{name}`" for name in written), text)


def _written(action: argparse.Action) -> list[str]:
    """An argument as it is typed, with its value; the long form of an option first."""
    value = action.metavar or (
        "{" + ",".join(map(str, action.choices)) + "}" if action.choices else action.dest.upper()
    )
    many = {"?": f"[{value}]", "*": f"[{value} ...]", "+": f"{value} [{value} ...]"}
    value = many.get(str(action.nargs), value)
    if not action.option_strings:
        return [value]
    names = sorted(action.option_strings, key=len, reverse=True)
    return [name if action.nargs == 0 else f"{name} {value}" for name in names]


if __name__ == "__main__":
    sys.exit(main())
