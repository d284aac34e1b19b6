"""Commands as steps of other commands."""

from __future__ import annotations

import argparse
from types import ModuleType

__all__ = ["arguments_of"]


def arguments_of(command: ModuleType, *words: object) -> argparse.Namespace:
    """What a command's ``run`` takes, as if the words had been typed after its name.

    Args:
        command: module of the command, called by its name.
        words: arguments and options.
    """
    parser = argparse.ArgumentParser()
    command.add_parser(parser.add_subparsers())
    name = command.__name__.rpartition(".")[2]
    return parser.parse_args([name, *map(str, words)])
