"""The command ``coarse-loftr``: one module per sub-command.

A command's module imports nothing heavy by itself, so that ``--help`` is instant. It offers
``add_parser(subparsers)`` and ``run(args)``, which returns the exit code. Nothing is imported
before signals are looked after: Ctrl-C may come while the rest is loaded.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence

from coarse_loftr_ros.process.stopping import StopSignals, interrupt

__all__ = ["main"]

EXIT_USER_ERROR = 2
_EXIT_BROKEN_PIPE = 128 + signal.SIGPIPE


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code.

    0 is success, 1 a result that is not good enough, 2 something that the user has to put right,
    said in one sentence on stderr. A command that did not get to its end has 128 and the signal's
    number: 130 after Ctrl-C, 143 after SIGTERM, 141 when the reader of its output has left.

    Args:
        arguments: of the command line. ``None`` takes those of the process, whose signals are
            then looked after until it ends.
    """
    if arguments is not None:
        return _run(arguments)
    signals = StopSignals(status=lambda number: 128 + number, react=interrupt)
    code = signals.run(lambda: _run(sys.argv[1:]))
    if signals.asked:
        _say("coarse-loftr: interrupted")
    return code


def _run(arguments: Sequence[str]) -> int:
    from coarse_loftr_ros.commands.common.errors import UserError
    from coarse_loftr_ros.commands.registry import make_parser

    try:
        try:
            args = make_parser().parse_args(arguments)
            return args.run(args)
        except UserError as error:
            _say(f"coarse-loftr {args.command}: {error}")
            return EXIT_USER_ERROR
        finally:
            print(end="", flush=True)  # here a reader that has left can still be dealt with
    except BrokenPipeError:
        if not _silence_closed_outputs():
            raise  # it was another pipe
        return _EXIT_BROKEN_PIPE


def _say(sentence: str) -> None:
    try:
        print(sentence, file=sys.stderr)
    except BrokenPipeError:
        _silence_closed_outputs()


def _silence_closed_outputs() -> bool:
    """Let nothing more be written where nobody reads (`| head`), not even at exit.

    Returns:
        Whether there is such an output.
    """
    import select

    outputs = select.poll()
    for output in (1, 2):
        outputs.register(output, 0)
    left = [output for output, event in outputs.poll(0) if event & select.POLLERR]
    for output in left:
        os.dup2(os.open(os.devnull, os.O_WRONLY), output)
    return bool(left)


if __name__ == "__main__":
    sys.exit(main())
