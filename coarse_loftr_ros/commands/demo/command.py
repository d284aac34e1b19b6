"""``coarse-loftr demo``: the real node on a recording, over DDS, with figures and pictures."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coarse_loftr_ros.commands.common.errors import UserError, as_user_error, writing

if TYPE_CHECKING:
    from coarse_loftr_ros.commands.demo.player import Answers
    from coarse_loftr_ros.recordings.bags.reader import ImageTopic
    from coarse_loftr_ros.recordings.rendered.flight import Flight

__all__ = ["add_parser", "run"]

_START_TIMEOUT_S = 90.0
_TOPIC = "/camera/image_raw"


def add_parser(subparsers: Any) -> argparse.ArgumentParser:
    """Add the command."""
    parser = subparsers.add_parser(
        "demo",
        help="run the node on a recording made here, and show what it finds",
        description="Film a drawn landscape from a moving camera into an MCAP recording, play it "
        "over DDS to a real matcher_node process, receive its topics, and compare its "
        "homographies with the truth. Writes overlay.png and a video. The exit code is 1 when the "
        "result is bad.",
    )
    parser.add_argument("--bag", type=Path, help="play this recording instead (no truth then)")
    parser.add_argument("--topic", help="image topic of --bag (default: the only one there is)")
    parser.add_argument(
        "--seconds",
        type=float,
        metavar="S",
        help="length of the flight (default: 8), or most that is played of --bag (default: all)",
    )
    parser.add_argument(
        "--rate", type=float, default=15.0, metavar="HZ", help="of the flight (default: 15)"
    )
    parser.add_argument(
        "--pairing",
        choices=("keyframe", "consecutive"),
        default="keyframe",
        help="what each image is matched with (default: %(default)s)",
    )
    parser.add_argument("--backend", default="auto", help="runtime of the node (default: auto)")
    parser.add_argument(
        "--output",
        type=Path,
        default=Path("out/demo"),
        metavar="DIR",
        help="folder for pictures, video and the node's log (default: %(default)s)",
    )
    parser.add_argument("--keep", action="store_true", help="keep the recording made here")
    return parser


def run(args: argparse.Namespace) -> int:
    """Play, listen, measure, draw."""
    from importlib.util import find_spec

    for module, remedy in (
        ("rclpy", "source a ROS 2 installation, or pip install 'coarse_loftr_ros[ros]'"),
        ("coarse_loftr_msgs", "build it with colcon, or pip install ./coarse_loftr_msgs"),
    ):
        found = find_spec(module)
        # The folder of the message package's source is found as a module without a file.
        if found is None or found.origin is None:
            raise UserError(f"the Python module {module} is not installed: {remedy}")
    if args.seconds is not None and not args.seconds > 0:
        raise UserError(f"--seconds is {args.seconds}; it must be positive")
    if not 0 < args.rate <= 120:
        raise UserError(f"--rate is {args.rate}; it must be above 0 and at most 120")
    from coarse_loftr_ros.recordings.bags.types import BagError

    with writing(args.output / "node.log") as log:
        log.touch()
    with as_user_error(BagError):
        if args.bag is not None:
            return _demonstrate(args, args.bag, None)
        flight = _flight(args)
        bag = args.output / "flight.mcap"
        try:
            return _demonstrate(args, bag, flight)
        finally:
            if not args.keep:
                bag.unlink(missing_ok=True)


def _flight(args: argparse.Namespace) -> Flight:
    from coarse_loftr_ros.recordings.rendered.flight import Flight
    from coarse_loftr_ros.recordings.rendered.scene import draw_landscape

    _say("drawing a landscape")
    return Flight(draw_landscape(), seconds=args.seconds or 8.0, rate=args.rate)


def _record(flight: Flight, bag: Path) -> None:
    """Film the flight into a recording."""
    from tqdm import tqdm

    from coarse_loftr_ros.recordings.bags.messages import image_message
    from coarse_loftr_ros.recordings.bags.writer import BagWriter

    with BagWriter(bag, replace=True) as writer:
        frames = flight.frames()
        for frame in tqdm(frames, "filming it", len(flight), unit="img", disable=None):
            writer.write(_TOPIC, frame.stamp, image_message(frame))


def _demonstrate(args: argparse.Namespace, bag: Path, flight: Flight | None) -> int:
    from coarse_loftr_ros.commands.demo.node_process import last_lines
    from coarse_loftr_ros.commands.demo.pictures import write_pictures
    from coarse_loftr_ros.commands.demo.report import summarise
    from coarse_loftr_ros.recordings.bags.reader import BagReader

    if flight is not None:
        _record(flight, bag)
    with BagReader(bag) as reader:
        topic = reader.choose(args.topic)
    answers = _play(args, bag, topic)
    if len(answers.sent) < 2:
        raise UserError(f"{bag} gives fewer than two images on {topic.name} to be matched")
    report = summarise(
        answers.sent, answers.received, answers.homographies, flight.between if flight else None
    )
    title = f"{bag.name}, {topic.name}" if flight is None else "flight over a drawn landscape"
    print(report.table(f"{title}, {args.pairing} pairing, over DDS"))
    if report.answered:
        for path in write_pictures(args.output, bag, topic, answers):
            print(f"written: {path}")
    if flight is not None and args.keep:
        print(f"kept: {bag}")
    faults = report.faults()
    for fault in faults:
        print(f"coarse-loftr demo: bad result: {fault}", file=sys.stderr)
    if faults:
        log = args.output / "node.log"
        print(f"the node's log is {log}; it ends with:", file=sys.stderr)
        for line in last_lines(log, 3):
            print(f"  {line}", file=sys.stderr)
    return 1 if faults else 0


def _play(args: argparse.Namespace, bag: Path, topic: ImageTopic) -> Answers:
    """Play the recording to a node of its own and collect the answers."""
    # Talk to this machine alone, in a domain that is probably nobody else's.
    os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"
    os.environ.pop("ROS_LOCALHOST_ONLY", None)
    domain = 1 + os.getpid() % 100
    os.environ["ROS_DOMAIN_ID"] = str(domain)

    from itertools import takewhile

    from coarse_loftr_ros.commands.demo.node_process import NodeProcess
    from coarse_loftr_ros.commands.demo.player import Player
    from coarse_loftr_ros.recordings.bags.reader import BagReader

    with BagReader(bag) as reader:
        first = next(iter(reader.messages([topic])), None)
        if first is None:
            raise UserError(f"{bag} has no message on {topic.name}")
        parameters = {
            "pairing": args.pairing,
            "backend": args.backend,
            "image_transport": "compressed" if topic.compressed else "raw",
            # What the middleware loses of large images is sent again, whichever middleware it is.
            "image_reliability": "reliable",
        }
        if not topic.compressed:
            parameters["expected_width"] = int(first.message.width)
            parameters["expected_height"] = int(first.message.height)
        _say("starting the node")
        log = args.output / "node.log"
        with (
            NodeProcess(parameters, log, os.environ) as node,
            Player(domain, topic.compressed) as player,
        ):
            player.wait_for_matcher(_START_TIMEOUT_S, node.check)
            end = first.recorded + (args.seconds or float("inf")) * 1e9
            messages = takewhile(lambda m: m.recorded < end, reader.messages([topic]))
            _say(f"playing {topic.name} of {bag}")
            player.play(messages, node.check)
            player.wait_for_answers(quiet_s=5.0, timeout_s=30.0)
            return player.answers


def _say(sentence: str) -> None:
    print(f"{sentence} ...", file=sys.stderr)
