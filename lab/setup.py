"""Installs coarse_loftr_lab with pip; on a robot nothing needs it."""

import re
from pathlib import Path

from setuptools import find_packages, setup

NAME = "coarse_loftr_lab"
HERE = Path(__file__).resolve().parent
VERSION = re.search(r'__version__ = "(.+)"', (HERE / NAME / "__init__.py").read_text())[1]
COMMANDS = [
    "evaluate",
    "benchmark",
    "results",
    "train",
    "report",
    "label",
    "export",
    "ncnn",
    "calibrate",
    "quantize",
    "release",
    "profile",
    "prune",
    "slim",
]

setup(
    name=NAME,
    version=VERSION,
    description="Trains, measures, exports and quantises the networks of coarse_loftr_ros",
    license="Apache-2.0",
    maintainer="coarse_loftr_ros maintainers",
    maintainer_email="maintainers@coarse-loftr-ros.example",
    python_requires=">=3.10",
    packages=find_packages(include=[NAME, NAME + ".*"]),
    zip_safe=False,
    install_requires=[f"coarse_loftr_ros=={VERSION}"],
    extras_require={
        "quantize": ["onnx>=1.16", "onnxruntime>=1.20", "protobuf"],
        "train": [
            "torch>=2.5",
            "onnx>=1.16",
            "onnxruntime>=1.18",
            "PyYAML",
            "h5py",  # depth maps of MegaDepth
            "tensorboard",
        ],
        "prune": ["torch-pruning>=1.6,<2"],  # beside train; 0.1 MB
        # Beside train, for lab/detector: 8 MB. A torchvision fits one PyTorch alone.
        "detector": ["torchvision>=0.20", "pycocotools>=2.0.8", "onnx>=1.16"],
        "loftr": ["kornia>=0.7"],  # LoFTR as a teacher
        # Graphs for ncnn: the translator, 30 MB beside PyTorch, and the runtime.
        "ncnn": ["pnnx>=20261020", "ncnn>=1.0.20260114"],
        "plots": ["matplotlib>=3.7"],
    },
    entry_points={
        # What coarse-loftr offers beside its own commands.
        "coarse_loftr.commands": [f"{name} = {NAME}.commands.{name}" for name in COMMANDS]
    },
)
