"""What odometry adds to matching, and whether both keep up with a stereo camera.

Starts a real ``matcher_node`` and a real ``odometry_node``, publishes stereo pairs at a fixed rate
from this process, and measures the time from publishing a pair to receiving its odometry, and from
receiving its correspondences to receiving its odometry. Both images leave one process, which is
more than Fast DDS's default shared memory holds at VGA: all use config/fastdds_large_images.xml.

    python benchmarks/odometry_latency.py --rate 15 --seconds 30
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from common.process import end, resident_mb
from common.views import circling_views

NAMESPACE = "/odometry_latency"
FOCAL, BASELINE, DISPARITY = 500.0, 0.1, 12


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; the exit status is 1 when pairs went unanswered or odometry is slow."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--rate", type=float, default=15.0, help="pairs per second (15)")
    parser.add_argument("--seconds", type=float, default=30.0, help="how long (30)")
    parser.add_argument("--width", type=int, default=640, help="px (640)")
    parser.add_argument("--height", type=int, default=480, help="px (480)")
    parser.add_argument("--pairing", choices=("consecutive", "keyframe"), default="keyframe")
    parser.add_argument("--threads", type=int, default=0, help="of the matcher (0: runtime's)")
    parser.add_argument("--freshness", choices=("latest", "all"), default="latest")
    parser.add_argument("--image", type=Path, help="picture to fly over (made of noise if absent)")
    parser.add_argument(
        "--max-added-ms", type=float, default=5.0, help="above it the status is 1 (5)"
    )
    parser.add_argument("--json", type=Path, help="write the figures to this file as well")
    options = parser.parse_args(arguments)
    os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    profiles = Path(__file__).resolve().parents[1] / "config" / "fastdds_large_images.xml"
    os.environ.setdefault("FASTDDS_DEFAULT_PROFILES_FILE", str(profiles))
    matcher = (
        "mode:=stereo",
        f"pairing:={options.pairing}",
        f"threads:={options.threads}",
        f"freshness:={options.freshness}",
        f"expected_width:={options.width}",
        f"expected_height:={options.height}",
    )
    nodes = [
        start("coarse_loftr_ros.node.matcher.matcher_node", matcher),
        start("coarse_loftr_ros.node.odometry.odometry_node", ("mode:=stereo",)),
    ]
    try:
        figures = measure([node.pid for node in nodes], options)
    finally:
        for node in nodes:
            end(node)
    for name, value in figures.items():
        print(f"{name:46} {value:.2f}" if isinstance(value, float) else f"{name:46} {value}")
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n")
    good = figures["unanswered"] == 0 and figures["added p50 (ms)"] <= options.max_added_ms
    return 0 if good else 1


def start(module: str, parameters: Sequence[str]) -> subprocess.Popen:
    """A node as a process."""
    command = [sys.executable, "-m", module, "--ros-args", "-r", f"__ns:={NAMESPACE}"]
    for parameter in parameters:
        command += ["-p", parameter]
    return subprocess.Popen(command)


def measure(pids: Sequence[int], options: argparse.Namespace) -> dict[str, float | int | str]:
    """Publish, receive, and gather the figures."""
    import rclpy
    from diagnostic_msgs.msg import DiagnosticArray
    from nav_msgs.msg import Odometry
    from rclpy.executors import SingleThreadedExecutor
    from rclpy.node import Node
    from rclpy.qos import qos_profile_sensor_data
    from sensor_msgs.msg import CameraInfo, Image

    from coarse_loftr_msgs.msg import Correspondences
    from coarse_loftr_ros.node.common.conversion import image_message, stamp_ns

    rclpy.init()
    client = Node("client", namespace=NAMESPACE)
    executor = SingleThreadedExecutor()
    executor.add_node(client)
    sent: dict[int, float] = {}
    matched: dict[int, float] = {}
    located: dict[int, float] = {}
    diagnostics: dict[str, dict[str, str]] = {}

    def remember(into: dict[int, float]) -> object:
        def take(message: Correspondences | Odometry) -> None:
            into[stamp_ns(message.header.stamp)] = time.perf_counter()

        return take

    def take_diagnostics(message: DiagnosticArray) -> None:
        for status in message.status:
            if status.name.startswith(NAMESPACE):
                values = {pair.key: pair.value for pair in status.values}
                node, subject = status.name.removeprefix(NAMESPACE + "/").split(": ")
                diagnostics[subject if subject != "input" else f"{node} input"] = values

    sides = ("left/", "right/")
    publishers = [
        client.create_publisher(Image, side + "image", qos_profile_sensor_data) for side in sides
    ]
    infos = [client.create_publisher(CameraInfo, side + "camera_info", 10) for side in sides]
    client.create_subscription(Correspondences, "matcher/correspondences", remember(matched), 10)
    client.create_subscription(Odometry, "odometry/odometry", remember(located), 10)
    client.create_subscription(DiagnosticArray, "/diagnostics", take_diagnostics, 10)
    while not (
        all(publisher.get_subscription_count() for publisher in publishers)
        and all(info.get_subscription_count() >= 2 for info in infos)
        and client.count_publishers("odometry/odometry")
    ):
        executor.spin_once(0.1)
    # The right camera sees what the left one would a little later: a wall at one distance.
    wide = options.width + DISPARITY
    pairs = []
    for image in circling_views(wide, options.height, round(4 * options.rate), options.image):
        left, right = image[:, :-DISPARITY], image[:, DISPARITY:]
        pairs.append(
            [image_message(np.ascontiguousarray(each), Image().header) for each in (left, right)]
        )
    cameras = [camera(options, baseline) for baseline in (0.0, BASELINE)]
    gc.disable()
    total, warm_up = round(options.rate * options.seconds), round(2 * options.rate)
    rss: list[float] = []
    begin = time.perf_counter()
    for number in range(warm_up + total):
        due = begin + number / options.rate
        while (left_s := due - time.perf_counter()) > 0:
            executor.spin_once(left_s)
        stamp = client.get_clock().now().to_msg()
        if number >= warm_up:
            sent[stamp_ns(stamp)] = time.perf_counter()
        for info, message in zip(infos, cameras, strict=True):
            message.header.stamp = stamp
            info.publish(message)
        for publisher, message in zip(publishers, pairs[number % len(pairs)], strict=True):
            message.header.stamp = stamp
            publisher.publish(message)
        if number % round(options.rate) == 0:
            rss.append(sum(resident_mb(pid) for pid in pids[1:]))
    end = time.perf_counter() + 2.5
    while time.perf_counter() < end:
        executor.spin_once(0.1)
    client.destroy_node()
    rclpy.shutdown()
    answered = [stamp for stamp in sent if stamp in located]
    if not answered:
        raise SystemExit("no odometry was received: is another node using the name?")
    whole = np.array([(located[s] - sent[s]) * 1e3 for s in answered])
    added = np.array([(located[s] - matched[s]) * 1e3 for s in answered if s in matched])
    p50, p95, worst = np.percentile(whole, (50, 95, 100)).tolist()
    figures: dict[str, float | int | str] = {
        "backend": diagnostics["matching"]["backend"],
        "images": f"2 x {options.width}x{options.height} mono8 at {options.rate:g} Hz",
        "sent": len(sent),
        "answered": len(answered),
        "unanswered": len(sent) - len(answered),
        **{
            f"  matcher: {name} (warm-up included)": int(diagnostics["matcher input"][name])
            for name in ("skipped", "lost by the middleware", "unpaired left", "unpaired right")
        },
        "publish to odometry p50 (ms)": p50,
        "publish to odometry p95 (ms)": p95,
        "publish to odometry max (ms)": worst,
        "added p50 (ms)": float(np.percentile(added, 50)),
        "added p95 (ms)": float(np.percentile(added, 95)),
        "matcher pipeline p50 (ms)": float(diagnostics["matching"]["pipeline p50 (ms)"]),
        "odometry node's memory, highest seen (MB)": max(rss),
        "status": diagnostics["odometry"]["status"],
    }
    for name in ("matches", "landmarks", "inliers"):
        figures[f"  {name} of the last image"] = int(diagnostics["odometry"][name])
    for stage in ("wait", "odometry", "publish", "received to published"):
        for share in ("p50", "p95"):
            name = f"{stage} {share} (ms)"
            figures[f"  node: {name}"] = float(diagnostics["odometry"][name])
    return figures


def camera(options: argparse.Namespace, baseline: float) -> object:
    """The camera_info of one camera."""
    from sensor_msgs.msg import CameraInfo

    cx, cy = (options.width - 1) / 2, (options.height - 1) / 2
    info = CameraInfo(width=options.width, height=options.height)
    info.k = [FOCAL, 0.0, cx, 0.0, FOCAL, cy, 0.0, 0.0, 1.0]
    info.p = [FOCAL, 0.0, cx, -FOCAL * baseline, 0.0, FOCAL, cy, 0.0, 0.0, 0.0, 1.0, 0.0]
    return info


if __name__ == "__main__":
    sys.exit(main())
