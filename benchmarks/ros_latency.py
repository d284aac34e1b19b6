"""What ROS adds to matching: latency from another process, sustained rate, memory.

Starts a real ``matcher_node``, publishes images to it from this process at a fixed rate, and
measures the time from publishing an image to receiving its correspondences. The pipeline's own
time comes from the node's diagnostics.

    python benchmarks/ros_latency.py --rate 30 --seconds 60
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

NAMESPACE = "/ros_latency"


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; the exit status is 1 when images were skipped or the overhead is high."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--rate", type=float, default=30.0, help="images per second (30)")
    parser.add_argument("--seconds", type=float, default=60.0, help="how long (60)")
    parser.add_argument("--width", type=int, default=640, help="px (640)")
    parser.add_argument("--height", type=int, default=480, help="px (480)")
    parser.add_argument("--backend", default="auto", help="backend of the node (auto)")
    parser.add_argument("--threads", type=int, default=0, help="threads of the node (0: runtime's)")
    parser.add_argument(
        "--network-pixels",
        type=int,
        default=0,
        help="of the node; few isolate ROS's part (default: what the model was made for)",
    )
    parser.add_argument(
        "--freshness",
        choices=("latest", "all"),
        default="latest",
        help="of the node; all shows whether it keeps up over a pause of the machine (latest)",
    )
    parser.add_argument("--image", type=Path, help="picture to fly over (made of noise if absent)")
    parser.add_argument(
        "--max-overhead-ms", type=float, default=5.0, help="above it the status is 1 (5)"
    )
    parser.add_argument("--json", type=Path, help="write the figures to this file as well")
    options = parser.parse_args(arguments)
    os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    command = [sys.executable, "-m", "coarse_loftr_ros.node.matcher.matcher_node"]
    command += ["--ros-args", "-r", f"__ns:={NAMESPACE}"]
    for parameter in (
        f"backend:={options.backend}",
        f"threads:={options.threads}",
        f"expected_width:={options.width}",
        f"expected_height:={options.height}",
        f"network_pixels:={options.network_pixels}",
        f"freshness:={options.freshness}",
    ):
        command += ["-p", parameter]
    node = subprocess.Popen(command)
    try:
        figures = measure(node.pid, options)
    finally:
        end(node)
    for name, value in figures.items():
        print(f"{name:38} {value:.2f}" if isinstance(value, float) else f"{name:38} {value}")
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n")
    good = figures["unanswered"] == 0 and figures["overhead p50 (ms)"] <= options.max_overhead_ms
    return 0 if good else 1


def measure(pid: int, options: argparse.Namespace) -> dict[str, float | int | str]:
    """Publish, receive, and gather the figures."""
    import rclpy
    from diagnostic_msgs.msg import DiagnosticArray
    from rclpy.executors import SingleThreadedExecutor
    from rclpy.node import Node
    from rclpy.qos import qos_profile_sensor_data
    from sensor_msgs.msg import Image

    from coarse_loftr_msgs.msg import Correspondences
    from coarse_loftr_ros.node.common.conversion import image_message, stamp_ns

    rclpy.init()
    client = Node("client", namespace=NAMESPACE)
    executor = SingleThreadedExecutor()
    executor.add_node(client)
    sent: dict[int, float] = {}
    received: dict[int, float] = {}
    diagnostics: dict[str, str] = {}
    pipeline_ms: list[float] = []

    def take_result(message: Correspondences) -> None:
        received[stamp_ns(message.header.stamp)] = time.perf_counter()

    def take_diagnostics(message: DiagnosticArray) -> None:
        for status in message.status:
            if status.name.startswith(NAMESPACE):
                diagnostics.update({pair.key: pair.value for pair in status.values})
        if "pipeline p50 (ms)" in diagnostics:
            pipeline_ms.append(float(diagnostics["pipeline p50 (ms)"]))

    publisher = client.create_publisher(Image, "image", qos_profile_sensor_data)
    client.create_subscription(Correspondences, "matcher/correspondences", take_result, 10)
    client.create_subscription(DiagnosticArray, "/diagnostics", take_diagnostics, 10)
    while not (
        publisher.get_subscription_count() and client.count_publishers("matcher/correspondences")
    ):
        executor.spin_once(0.1)
    # Messages are made beforehand and the collector is off: the measure shall not measure itself.
    messages = [
        image_message(image, Image().header)
        for image in circling_views(
            options.width, options.height, round(2 * options.rate), options.image
        )
    ]
    gc.disable()
    total = round(options.rate * options.seconds)
    warm_up = round(options.rate)
    rss = []
    start = time.perf_counter()
    for number in range(warm_up + total):
        due = start + number / options.rate
        while (left := due - time.perf_counter()) > 0:
            executor.spin_once(left)
        message = messages[number % len(messages)]
        message.header.stamp = client.get_clock().now().to_msg()
        if number >= warm_up:
            sent[stamp_ns(message.header.stamp)] = time.perf_counter()
        publisher.publish(message)
        if number % round(options.rate) == 0:
            rss.append(resident_mb(pid))
    end = time.perf_counter() + 2.5
    while time.perf_counter() < end:
        executor.spin_once(0.1)
    latency = np.array([(received[s] - sent[s]) * 1e3 for s in sent if s in received])
    client.destroy_node()
    rclpy.shutdown()
    if not len(latency):
        raise SystemExit("no result was received: is another node using the name?")
    # The node's medians are of its last frames: theirs over the whole run is the run's.
    pipeline = float(np.median(pipeline_ms))
    p50, p95, worst = np.percentile(latency, (50, 95, 100)).tolist()
    figures: dict[str, float | int | str] = {
        "backend": diagnostics["backend"],
        "image": f"{options.width}x{options.height} mono8 at {options.rate:g} Hz",
        "sent": len(sent),
        "answered": len(latency),
        "unanswered": len(sent) - len(latency),
        "skipped (warm-up included)": int(diagnostics["skipped"]),
        "publish to correspondences p50 (ms)": p50,
        "publish to correspondences p95 (ms)": p95,
        "publish to correspondences max (ms)": worst,
        "pipeline p50 (ms)": pipeline,
        "overhead p50 (ms)": p50 - pipeline,
        "node memory, highest seen (MB)": max(rss),
    }
    for stage in ("wait", "decode", "encode", "match", "refine", "homography", "publish"):
        figures[f"  {stage} p50 (ms)"] = float(diagnostics[f"{stage} p50 (ms)"])
    return figures


if __name__ == "__main__":
    sys.exit(main())
