"""Installs coarse_loftr_ros, by colcon as an ament_python package or by pip with extras."""

import re
from pathlib import Path

from setuptools import find_packages, setup

NAME = "coarse_loftr_ros"
HERE = Path(__file__).resolve().parent
VERSION = re.search(r'__version__ = "(.+)"', (HERE / NAME / "__init__.py").read_text())[1]


def files(folder: str, pattern: str) -> list[str]:
    """Files of a folder relative to this one, as ``data_files`` wants them."""
    return sorted(str(path.relative_to(HERE)) for path in (HERE / folder).glob(pattern))


# ROS 2 Kilted as Python wheels, for machines without a ROS installation. They exist for x86-64
# Linux only and come from several release trains: the pins keep them binary compatible.
# The message package of this repository is no wheel of theirs: pip install ./coarse_loftr_msgs
ROS = [
    "ros-rclpy[fastrtps]==9.1.2",
    "ros-builtin-interfaces==2.3.0",
    "ros-lifecycle-msgs==2.3.0",
    "ros-rcl-interfaces==2.3.0",
    "ros-rosgraph-msgs==2.3.0",
    "ros-ament-index-python==1.11.0",
    "ros-kilted-diagnostic-msgs==5.5.1",
    "ros-kilted-geometry-msgs==5.5.1",
    "ros-kilted-nav-msgs==5.5.1",
    "ros-kilted-sensor-msgs==5.5.1",
    "ros-kilted-std-msgs==5.5.1",
    "ros-kilted-std-srvs==5.5.1",
]

# What `colcon build` needs beside the ROS wheels: the generators of message code, and those of
# their dependencies that they forget to declare (the list of coarse_loftr_msgs/pyproject.toml).
COLCON = [
    "colcon-common-extensions==0.3.0",
    "setuptools>=70.1,<80",  # 70.1 builds wheels alone, 80 took away commands that colcon calls
    "catkin-pkg",
    "ros-kilted-rosidl-default-generators==1.7.1",
    "ros-kilted-ament-package==0.17.2",
    "ros-ament-cmake==2.7.3",
    "ros-ament-cmake-include-directories==2.7.3",
    "ros-ament-cmake-python==2.7.3",
    "ros-ament-cmake-ros-core==0.14.5",
    "ros-rosidl-core-generators==0.3.1",
    "ros-rosidl-generator-py==0.24.2",
]

# CUDA graphs for TensorRT, 31 MB. Any of these suits drivers for CUDA 12 and 13: what is called is
# older than both. The next major version of CUDA may change arguments.
CUDA_BINDINGS = "cuda-bindings>=12.8,<14"

setup(
    name=NAME,
    version=VERSION,
    description="Detector-free image matching for ROS 2",
    license="Apache-2.0",
    maintainer="coarse_loftr_ros maintainers",
    maintainer_email="maintainers@coarse-loftr-ros.example",
    python_requires=">=3.10",
    packages=find_packages(include=[NAME, NAME + ".*"]),
    # No "**": the setuptools of ROS 2 Humble does not know it.
    package_data={
        NAME: ["models/*.md"]
        + [f"models/*/{kind}" for kind in ("*.onnx", "*.ncnn.*", "*.json", "*.md")],
        f"{NAME}.fleet.report": ["page.*"],
        f"{NAME}.recordings.bags": ["msg/*.msg"],  # a link to the message package's
    },
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{NAME}"]),
        (f"share/{NAME}", ["package.xml"]),
        (f"share/{NAME}/launch", files("launch", "*.launch.py")),
        (f"share/{NAME}/config", files("config", "*.*")),
        (f"share/{NAME}/examples", files("examples", "*.*")),
    ],
    zip_safe=False,
    # Headless: nothing here opens a window, and opencv-python does not import on a machine
    # without libGL and X11 (servers, containers, most robots). Both fill the same cv2 folder,
    # so an environment takes one of them. On ROS, OpenCV is apt's python3-opencv, which is
    # what cv_bridge links to; colcon does not install these requirements, so it stays that.
    install_requires=[
        "numpy>=1.26",
        "opencv-python-headless>=4.8",
        "rosbags>=0.11.9",  # messages of bags are read and written without ROS
        # rosbags needs these, too: what is compressed in bags, and their metadata.yaml.
        "backports.zstd; python_version < '3.14'",
        "lz4",
        "ruamel.yaml",
        "tqdm",
    ],
    extras_require={
        "ros": ROS,
        "cpu": ["openvino>=2024.4", "onnxruntime>=1.18"],
        # CUDA 13 and cuDNN as wheels, 2 GB; it takes the place of onnxruntime. Before 1.31 (Python
        # 3.10) there are no CUDA graphs.
        "cuda": ["onnxruntime-gpu[cuda,cudnn]>=1.20", "onnx>=1.16", "protobuf"],
        # onnx converts the graphs to float16. On a Jetson, TensorRT is apt's, not pip's.
        "tensorrt": [
            "tensorrt>=10.3",
            "pycuda>=2024.1",
            CUDA_BINDINGS,
            "onnx>=1.16",
            "onnxruntime>=1.18",  # what engines are compared with
            "protobuf",
        ],
        # Builds engines on a machine without a GPU, so CI tests it; 265 MB and cuda-bindings.
        "tensorrt-rtx": [
            f"{wheel}; platform_system == 'Linux' and platform_machine == 'x86_64'"
            for wheel in (
                "tensorrt-rtx-cu13-bindings==1.7.1.116",
                "tensorrt-rtx-cu13-libs==1.7.1.116",
                CUDA_BINDINGS,
            )
        ]
        + ["onnx>=1.16", "protobuf"],
        # A runtime of 30 MB, also for ARM boards; older ones compute something else.
        "ncnn": ["ncnn>=1.0.20260114"],
        "plots": ["matplotlib>=3.7"],
        # Absolute trajectory errors; brings SciPy, pandas, seaborn and matplotlib, 350 MB.
        "odometry": ["evo>=1.30"],
        # Adjusts the latest stereo images together, 145 MB; on ROS it is apt's python3-scipy.
        "refinement": ["scipy>=1.8"],
        # Many recordings on Ray, with Parquet files and a page with plots; 500 MB.
        "fleet": ["ray>=2.40", "pyarrow>=14", "fsspec", "plotly>=6"],
        "test": [
            "pytest>=8",
            "pytest-timeout",
            "hypothesis",
            "PyYAML",
            "matplotlib>=3.7",
            "scipy>=1.8",
            "selenium>=4.20",  # reports in a real browser, where there is one
        ],
        "colcon": COLCON,
    },
    entry_points={
        "console_scripts": [
            "matcher_node = coarse_loftr_ros.node.matcher.matcher_node:main",
            "mask_node = coarse_loftr_ros.node.mask.mask_node:main",
            "odometry_node = coarse_loftr_ros.node.odometry.odometry_node:main",
            "coarse-loftr = coarse_loftr_ros.commands.cli:main",
        ]
    },
)
