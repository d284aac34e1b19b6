"""The network as graphs of ncnn, translated from PyTorch by pnnx."""

from __future__ import annotations

import copy
import hashlib
import importlib.util
import json
import subprocess
import tempfile
from pathlib import Path

import torch
from torch import Tensor, nn

from coarse_loftr_lab.network.attention import AttentionLayer
from coarse_loftr_lab.network.export import EncodeGraph, MatchGraph
from coarse_loftr_lab.network.matcher_net import COARSE_STRIDE, MatcherNet

__all__ = ["export_ncnn"]

# Two of each, so that pnnx leaves what differs open.
_SIZES = ((448, 320), (640, 480))

# Attention sums over the tokens of an image, of which there are some hundreds; see AttentionLayer.
_SUM_SCALE = 1 / 1024


def export_ncnn(net: MatcherNet, folder: Path, half: bool = False) -> None:
    """Add ``encode.ncnn.*`` and ``match.ncnn.*`` to a model's folder and to its ``model.json``.

    They take any image size. Inputs ``in0``, ... and outputs ``out0``, ... are those of the ONNX
    graphs, without the dimension of the batch.

    Args:
        net: the network that the folder's ONNX graphs were exported from.
        folder: with the ``model.json`` that ``export_model`` wrote.
        half: whether weights are float16 in the files.

    Raises:
        ImportError: when pnnx is not installed.
        ValueError: when it cannot translate a graph.
    """
    net = copy.deepcopy(net).eval()
    net.both_at_once = False
    for layer in net.modules():
        if isinstance(layer, AttentionLayer):
            layer.sum_scale = _SUM_SCALE
    cells = [width // COARSE_STRIDE * (height // COARSE_STRIDE) for width, height in _SIZES]
    channels = net.config.token_channels
    images = [[(1, 1, height, width)] for width, height in _SIZES]
    tokens = [[(1, count, channels)] * 2 for count in cells]
    description = folder / "model.json"
    facts = json.loads(description.read_text())
    for name, graph, shapes in (
        ("encode", EncodeGraph(net), images),
        ("match", MatchGraph(net), tokens),
    ):
        for file, content in _translate(name, graph, shapes, half).items():
            (folder / file).write_bytes(content)
            facts["sha256"][file] = hashlib.sha256(content).hexdigest()
    description.write_text(json.dumps(facts, indent=2) + "\n")


def _translate(
    name: str, graph: nn.Module, shapes: list[list[tuple[int, ...]]], half: bool
) -> dict[str, bytes]:
    """The two files of one graph.

    Args:
        name: of the graph.
        graph: to trace.
        shapes: of its inputs, for two image sizes.
        half: see ``export_ncnn``.
    """
    found = importlib.util.find_spec("pnnx")
    if found is None or found.origin is None:
        raise ImportError("No module named 'pnnx'", name="pnnx")
    # Its Python functions would write beside the model, and say nothing of a failure.
    program = Path(found.origin).with_name("pnnx")
    with tempfile.TemporaryDirectory() as temporary, torch.no_grad():
        inputs: tuple[Tensor, ...] = tuple(torch.rand(shape) for shape in shapes[0])
        torch.jit.trace(graph.eval(), inputs, check_trace=False).save(f"{temporary}/{name}.pt")
        options = [
            f"{option}={','.join(str(list(shape)).replace(' ', '') for shape in each)}"
            for option, each in zip(("inputshape", "inputshape2"), shapes, strict=True)
        ]
        done = subprocess.run(
            [program, f"{name}.pt", *options, f"fp16={int(half)}"],
            cwd=temporary,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
        files = [Path(temporary) / f"{name}.ncnn.{kind}" for kind in ("bin", "param")]
        if done.returncode or not all(file.is_file() for file in files):
            lines = (done.stderr or done.stdout).strip().splitlines()
            reason = lines[-1] if lines else f"it ended with {done.returncode}"
            raise ValueError(f"pnnx cannot translate the graph '{name}': {reason}")
        return {file.name: file.read_bytes() for file in files}
