"""The kinds of files that the commands read: good ones to be damaged, and how each is read."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import file_damage
import numpy as np
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer

from coarse_loftr_ros.backends.base import BackendError, ModelFiles
from coarse_loftr_ros.backends.registry import create_backend
from coarse_loftr_ros.cameras.pose import Pose
from coarse_loftr_ros.commands import cli
from coarse_loftr_ros.commands.common.errors import UserError
from coarse_loftr_ros.images.decoding import ImageError
from coarse_loftr_ros.images.frame import Frame, Intrinsics
from coarse_loftr_ros.images.preprocessing import NetworkSize
from coarse_loftr_ros.recordings.bag import decode
from coarse_loftr_ros.recordings.bags.messages import camera_info_message, image_message
from coarse_loftr_ros.recordings.bags.reader import BagReader
from coarse_loftr_ros.recordings.bags.types import BagError, typestore
from coarse_loftr_ros.recordings.bags.writer import BagWriter
from coarse_loftr_ros.recordings.errors import RecordingError
from coarse_loftr_ros.recordings.image_files import read_grey
from coarse_loftr_ros.recordings.opening import choose_streams, open_source
from coarse_loftr_ros.recordings.rendered.scene import draw_landscape
from coarse_loftr_ros.recordings.trajectories.files import kitti_text, read_trajectory, tum_text
from coarse_loftr_ros.recordings.trajectories.trajectory import Trajectory

__all__ = ["KINDS", "Kind"]

_STAMPS = [1_700_000_000_000_000_000 + k * 100_000_000 for k in range(6)]
_CAMERA = Intrinsics(60.0, 60.0, 31.5, 23.5)


@dataclass(frozen=True)
class Kind:
    """A kind of files.

    Attributes:
        name: for the table.
        make: writes whole files into a folder and returns those to damage, one per variant.
        read: reads a file as the commands do; whether only a part of it could be read.
        refusals: what the commands say as a sentence when ``read`` raises it.
        damage: of a file's bytes.
        share: of the number of files that is asked for; slow kinds take fewer.
    """

    name: str
    make: Callable[[Path], list[Path]]
    read: Callable[[Path], bool]
    refusals: tuple[type[Exception], ...]
    damage: Callable[[bytes, np.random.Generator], bytes] = file_damage.damage_bytes
    share: float = 1.0


def _frames() -> list[Frame]:
    landscape = draw_landscape(100, 80, seed=2)
    return [
        Frame(np.ascontiguousarray(landscape[k : k + 48, 2 * k : 2 * k + 64]), stamp, "camera")
        for k, stamp in enumerate(_STAMPS)
    ]


def _record(write: Callable[[str, int, object], None]) -> None:
    compressed = typestore().types["sensor_msgs/msg/CompressedImage"]
    for frame in _frames():
        message = image_message(frame)
        write("/image", frame.stamp, message)
        write("/camera_info", frame.stamp, camera_info_message(frame, _CAMERA))
        jpeg = cv2.imencode(".jpg", frame.image)[1].reshape(-1)
        packed = compressed(header=message.header, format="jpeg", data=jpeg)
        write("/small/compressed", frame.stamp, packed)


def _packed(folder: Path, mode: CompressionMode) -> Path:
    writer = Writer(folder, version=9, storage_plugin=StoragePlugin.MCAP)
    writer.set_compression(mode, CompressionFormat.ZSTD)
    topics: dict = {}
    with writer:

        def write(topic: str, time: int, message: object) -> None:
            if topic not in topics:
                topics[topic] = writer.add_connection(
                    topic, message.__msgtype__, typestore=typestore()
                )
            data = typestore().serialize_cdr(message, message.__msgtype__)
            writer.write(topics[topic], time, data)

        _record(write)
    return folder


def _make_mcap(folder: Path) -> list[Path]:
    plain = folder / "plain.mcap"
    with BagWriter(plain) as writer:
        _record(writer.write)
    chunks = _packed(folder / "chunks", CompressionMode.STORAGE) / "chunks.mcap"
    # Without its end a file has neither summary nor index.
    unfinished = folder / "unfinished.mcap"
    unfinished.write_bytes(plain.read_bytes()[:-1500])
    return [plain, chunks, unfinished]


def _make_sqlite(folder: Path) -> list[Path]:
    with BagWriter(folder / "plain.db3") as writer:
        _record(writer.write)
    return [folder / "plain.db3"]


def _make_folders(folder: Path) -> list[Path]:
    for mode in (CompressionMode.MESSAGE, CompressionMode.FILE):
        _packed(folder / mode.name, mode)
    message, file = folder / "MESSAGE", folder / "FILE"
    return [message / "metadata.yaml", file / "metadata.yaml", file / "FILE.mcap.zstd"]


def _read_bag(path: Path) -> bool:
    lost = 0
    with BagReader(path) as reader:
        topics = reader.image_topics
        if not topics:
            reader.choose()
        for message in reader.messages(topics):
            try:
                compressed = message.message.__msgtype__.endswith("CompressedImage")
                decode(message.message, compressed)
            except ImageError:
                lost += 1
        list(reader.camera_infos(topics))
        return lost > 0 or bool(reader.damage)


def _read_folder(path: Path) -> bool:
    return _read_bag(path.parent)


def _make_images(folder: Path) -> list[Path]:
    grey = _frames()[0].image
    colour, deep = cv2.merge([grey, 255 - grey, grey]), grey.astype(np.uint16) * 200
    images = {
        "grey.png": grey, "deep.png": deep, "colour.jpg": colour, "colour.webp": colour,
        "grey.tiff": grey, "deep.tiff": deep, "grey.pgm": grey, "colour.ppm": colour,
        "colour.bmp": colour,
    }  # fmt: skip
    for name, image in images.items():
        cv2.imwrite(str(folder / name), image)
    return [folder / name for name in images]


def _read_image(path: Path) -> bool:
    read_grey(path)
    return False


def _path() -> Trajectory:
    poses = [Pose.exp(np.array([0.1 * k, 0.0, 0.3 * k, 0.0, 0.02 * k, 0.0])) for k in range(6)]
    return Trajectory.of(_STAMPS, poses)


def _make_trajectories(folder: Path) -> list[Path]:
    path = _path()
    log = "".join(
        f"{k} {k} {k + 1}\n" + "\n".join(" ".join(map(str, row)) for row in pose.matrix) + "\n"
        for k, pose in enumerate(path.poses)
    )
    texts = {"path.tum": tum_text(path), "path.kitti": kitti_text(path), "path.log": log}
    for name, text in texts.items():
        (folder / name).write_text(text)
    return [folder / name for name in texts]


def _read_trajectory(path: Path) -> bool:
    read_trajectory(path, list(_STAMPS))
    return False


def _write_images(folder: Path, names: list[str]) -> None:
    folder.mkdir(parents=True)
    for name, frame in zip(names, _frames(), strict=False):
        cv2.imwrite(str(folder / name), frame.image)


def _make_kitti(root: Path) -> list[Path]:
    """Two eyes, calibration and times."""
    for eye in ("image_0", "image_1"):
        _write_images(root / eye, ["000000.png", "000001.png"])
    calibration = "".join(f"P{k}: 60 0 31.5 {-6.0 * k} 0 60 23.5 0 0 0 1 0\n" for k in range(4))
    (root / "calib.txt").write_text(calibration + "Tr: 1 0 0 0 0 1 0 0 0 0 1 0\n")
    (root / "times.txt").write_text("0.000000e+00\n1.036224e-01\n")
    return [root / "calib.txt", root / "times.txt"]


_SENSOR = """\
sensor_type: camera
T_BS:
  cols: 4
  rows: 4
  data: [1.0, 0.0, 0.0, {x}, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0]
rate_hz: 20
resolution: [64, 48]
camera_model: pinhole
intrinsics: [60.0, 60.0, 31.5, 23.5]
distortion_model: {model}
distortion_coefficients: [-0.28, 0.07, 0.0002, 1.8e-05]
"""


def _make_euroc(root: Path) -> list[Path]:
    files = []
    for k, model in enumerate(("radial-tangential", "radial-tangential")):
        folder = root / "mav0" / f"cam{k}"
        names = [f"{stamp}.png" for stamp in _STAMPS[:2]]
        _write_images(folder / "data", names)
        rows = "".join(f"{name[:-4]},{name}\n" for name in names)
        (folder / "data.csv").write_text(f"#timestamp [ns],filename\n{rows}")
        (folder / "sensor.yaml").write_text(_SENSOR.format(x=0.11 * k, model=model))
        files += [folder / "sensor.yaml", folder / "data.csv"]
    return files


def _make_tum(root: Path) -> list[Path]:
    names = [f"{stamp / 1e9:.6f}.png" for stamp in _STAMPS[:2]]
    _write_images(root / "rgb", names)
    rows = "".join(f"{name[:-4]} rgb/{name}\n" for name in names)
    (root / "rgb.txt").write_text(f"# color images\n# timestamp filename\n{rows}")
    return [root / "rgb.txt"]


def _read_sequence(root: Path, both: bool) -> bool:
    streams = choose_streams(root, [None], both=both)
    with open_source(root, streams, 10.0) as source:
        source.calibrations()
        return sum(1 for _ in source.images()) < 2 * len(streams)


def _read_kitti(path: Path) -> bool:
    return _read_sequence(path.parent, True)


def _read_euroc(path: Path) -> bool:
    return _read_sequence(path.parents[2], True)


def _read_tum(path: Path) -> bool:
    return _read_sequence(path.parent, False)


def _make_video(folder: Path) -> list[Path]:
    path = folder / "video.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 10.0, (64, 48))
    for frame in _frames():
        writer.write(cv2.cvtColor(frame.image, cv2.COLOR_GRAY2BGR))
    writer.release()
    return [path]


def _read_video(path: Path) -> bool:
    with open_source(path, [None], 10.0) as source:
        return sum(1 for _ in source.images()) < len(_STAMPS)


def _make_model(folder: Path) -> list[Path]:
    shipped = ModelFiles.load("fast").encode.parent
    for file in shipped.glob("*.[oj]*"):
        shutil.copyfile(file, folder / file.name)
    return [folder / "model.json", folder / "encode.onnx", folder / "encode.int8.onnx"]


def _read_model(path: Path) -> bool:
    ModelFiles.load(path.parent).check_size(NetworkSize(64, 64))
    return False


def _make_graphs(folder: Path) -> list[Path]:
    _make_model(folder)
    return [folder / "encode.onnx", folder / "match.onnx"]


def _read_graph(path: Path) -> bool:
    """A graph that is not damaged by chance: its hash is right."""
    description = path.parent / "model.json"
    facts = json.loads(description.read_text())
    for name in ("encode.onnx", "match.onnx"):
        facts["sha256"][name] = hashlib.sha256((path.parent / name).read_bytes()).hexdigest()
    description.write_text(json.dumps(facts))
    model = ModelFiles.load(path.parent)
    for runtime in ("onnxruntime", "openvino"):
        create_backend(runtime, model, NetworkSize(64, 64), threads=1, precision="fp32")
    return False


def _run(*words: object) -> bool:
    """Run a command in this process; what it refuses with a sentence ends with code 2."""
    code = cli.main([str(word) for word in words])
    if code == cli.EXIT_USER_ERROR:
        raise UserError("said on stderr")
    return code != 0


def _replay(path: Path) -> bool:
    output = path.with_name("replayed.mcap")
    return _run("replay", path, "--topic", "/image", "-o", output, "--force", "--threads", 1)


def _match(path: Path) -> bool:
    return _run("match", path.with_name("whole.png"), path, "--threads", 1)


def _make_match(folder: Path) -> list[Path]:
    files = _make_images(folder)
    shutil.copyfile(folder / "grey.png", folder / "whole.png")
    return files


def _make_odometry(root: Path) -> list[Path]:
    files = _make_kitti(root)
    (root / "poses.txt").write_text("".join(kitti_text(_path()).splitlines(True)[:2]))
    return [*files, root / "poses.txt"]


def _follow(path: Path) -> bool:
    root = path.parent
    output = ("-o", root / "path", "--json", root / "path.json", "--threads", 1)
    return _run("odometry", root, "--mode", "stereo", *output)


KINDS = [
    Kind("MCAP", _make_mcap, _read_bag, (BagError,)),
    Kind("sqlite3", _make_sqlite, _read_bag, (BagError,)),
    Kind("rosbag2 folder, zstd", _make_folders, _read_folder, (BagError,)),
    Kind("image", _make_images, _read_image, (ImageError, RecordingError)),
    Kind("KITTI's files", _make_kitti, _read_kitti, (RecordingError,), file_damage.damage_text),
    Kind("EuRoC's files", _make_euroc, _read_euroc, (RecordingError,), file_damage.damage_text),
    Kind("TUM's list", _make_tum, _read_tum, (RecordingError,), file_damage.damage_text),
    Kind(
        "trajectory",
        _make_trajectories,
        _read_trajectory,
        (ValueError, OSError),
        file_damage.damage_text,
    ),
    Kind("video", _make_video, _read_video, (RecordingError,)),
    Kind("model folder", _make_model, _read_model, (BackendError,), file_damage.damage_text),
    Kind("ONNX graph", _make_graphs, _read_graph, (BackendError,), share=0.05),
    Kind("command replay", _make_mcap, _replay, (UserError,), share=0.05),
    Kind("command match", _make_match, _match, (UserError,), share=0.05),
    Kind("command odometry", _make_odometry, _follow, (UserError,), file_damage.damage_text, 0.05),
]
