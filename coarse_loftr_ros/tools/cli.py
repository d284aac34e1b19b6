"""The command ``coarse-loftr``: one module per sub-command.

A command's module imports nothing heavy by itself, so that ``--help`` is instant. It offers
``add_parser(subparsers)`` and ``run(args)``, which returns the exit code.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from coarse_loftr_ros import __version__
from coarse_loftr_ros.tools import (
    bag,
    benchmark,
    calibrate,
    demo,
    engine,
    evaluate,
    export,
    live,
    match,
    odometry,
    quantize,
    register,
    replay,
    report,
    results,
    train,
)
from coarse_loftr_ros.tools.errors import UserError

__all__ = ["COMMANDS", "main"]

COMMANDS = (
    demo,
    match,
    register,
    live,
    replay,
    odometry,
    bag,
    evaluate,
    benchmark,
    results,
    train,
    report,
    export,
    calibrate,
    quantize,
    engine,
)

EXIT_BAD_RESULT = 1
EXIT_USER_ERROR = 2
_EXIT_INTERRUPTED = 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="coarse-loftr",
        description="Detector-free image matching: try it, run it on files, train and measure it.",
    )
    parser.add_argument("--version", action="version", version=f"coarse_loftr_ros {__version__}")
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for command in COMMANDS:
        command.add_parser(subparsers).set_defaults(run=command.run)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code.

    0 is success, 1 a result that is not good enough, 2 something that the user has to put right,
    said in one sentence on stderr.
    """
    args = _parser().parse_args(arguments)
    try:
        code = args.run(args)
        sys.stdout.flush()  # here a reader that has left can still be dealt with
        return code
    except UserError as error:
        print(f"coarse-loftr {args.command}: {error}", file=sys.stderr)
        return EXIT_USER_ERROR
    except BrokenPipeError:
        # The reader of our output has left (`| head`): no more can be said, not even at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        print(f"coarse-loftr {args.command}: interrupted", file=sys.stderr)
        return _EXIT_INTERRUPTED


if __name__ == "__main__":
    sys.exit(main())
