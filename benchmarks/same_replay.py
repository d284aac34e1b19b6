"""Whether two checkouts replay recordings to the same bits: a change that must change nothing.

Each checkout's own environment runs `coarse-loftr replay` on one thread; what is compared is every
message of what it writes: topic, time and serialised bytes. The exit status is 1 where they differ.

    python benchmarks/same_replay.py BEFORE AFTER --data ../shared/data/dev/vo
"""

from __future__ import annotations

import argparse
import hashlib
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from rosbags.rosbag2 import Reader

REPLAYS = {
    "kitti06_stereo_51": (
        ("--rate", "10", "--odometry"),
        ("--rate", "10", "--pairing", "keyframe", "--odometry"),
    ),
    "livingroom_211": (
        ("--rate", "15"),
        ("--rate", "15", "--pairing", "keyframe", "--precision", "fp32"),
    ),
}
"""Options of the replays of each folder."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Replay in both checkouts, and compare."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument(
        "checkouts", type=Path, nargs=2, metavar="CHECKOUT", help="after `make setup`"
    )
    parser.add_argument(
        "--data", type=Path, required=True, metavar="DIR", help=f"folder of {', '.join(REPLAYS)}"
    )
    args = parser.parse_args(arguments)
    differing = 0
    for name, replays in REPLAYS.items():
        for options in replays:
            digests = [digest(checkout, args.data / name, options) for checkout in args.checkouts]
            same = digests[0] == digests[1]
            differing += not same
            print(f"{'same' if same else 'DIFFERENT':9} {name} {' '.join(options)}: ", end="")
            print(" ".join(sorted({f"{count} messages {bits}" for count, bits in digests})))
    return 1 if differing else 0


def digest(checkout: Path, recording: Path, options: Sequence[str]) -> tuple[int, str]:
    """How many messages a replay writes, and their digest.

    Raises:
        subprocess.CalledProcessError: when the replay fails.
    """
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder, "replay")
        command = [checkout / ".venv/bin/coarse-loftr", "replay", recording, *options]
        subprocess.run(
            [*command, "--threads", "1", "-o", output],
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        bits, count = hashlib.sha256(), 0
        with Reader(output) as reader:
            for connection, time, content in reader.messages():
                bits.update(f"{connection.topic} {time} {len(content)}\n".encode())
                bits.update(content)
                count += 1
        return count, bits.hexdigest()[:16]


if __name__ == "__main__":
    sys.exit(main())
