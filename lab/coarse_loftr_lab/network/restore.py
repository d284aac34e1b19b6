"""The trained network back from an exported model: to train it further, or to compare with it."""

from __future__ import annotations

import json
import math
from itertools import pairwise
from pathlib import Path

import torch
from torch import Tensor, nn

from coarse_loftr_lab.network.checkpoint import load_network
from coarse_loftr_lab.network.first_convolution import FIRST_CONVOLUTION, of_blocks
from coarse_loftr_lab.network.matcher_net import MatcherConfig, MatcherNet
from coarse_loftr_ros.backends.base import SHIPPED_MODELS, BackendError, ModelFiles

__all__ = ["is_model", "open_network", "restore_network"]


def is_model(source: Path) -> bool:
    """Whether this is an exported model, by the name of a shipped one or a folder."""
    return str(source) in SHIPPED_MODELS or source.is_dir()


def open_network(source: Path) -> MatcherNet:
    """A network ready for inference.

    Args:
        source: a checkpoint, a folder that ``export_model`` has written, or the name of a shipped
            model.

    Raises:
        FileNotFoundError: when there is no such file.
        ValueError: when it holds no network of this project.
    """
    if not is_model(source):
        return load_network(source)
    try:
        return restore_network(ModelFiles.load(source if source.is_dir() else str(source)))
    except BackendError as error:
        raise ValueError(str(error)) from error


def restore_network(model: ModelFiles) -> MatcherNet:
    """The network that was exported, with weights from its float32 graphs.

    The exporter folds each batch norm into the convolution before it; here that convolution has
    the product, and the norm adds the bias and does nothing else. ``renew_batch_norms`` gives
    norms their statistics back, which training needs.

    Raises:
        ValueError: when the model does not say how its network is made, or its graphs are not
            those of that network.
    """
    import onnx
    from google.protobuf.message import DecodeError
    from onnx import numpy_helper

    facts = json.loads((model.encode.parent / "model.json").read_text())
    if "network" not in facts:
        raise ValueError(
            f"model {model.name}: model.json has no 'network': it was exported by a version that "
            "did not write how the network is made"
        )
    net = MatcherNet(MatcherConfig.from_dict(facts["network"])).eval()
    weights: dict[str, Tensor] = {"log_fine_scale": torch.tensor(math.log(facts["fine_scale"]))}
    for path in (model.encode, model.match):
        try:
            graph = onnx.load(path).graph
        except DecodeError as error:
            raise ValueError(f"{path} is no ONNX graph: {error}") from error
        held = {
            one.name: torch.from_numpy(numpy_helper.to_array(one).copy())
            for one in graph.initializer
        }
        # Weights that the exporter left as they are kept their names.
        weights |= {
            name.removeprefix("net."): value
            for name, value in held.items()
            if name.startswith("net.")
        }
        for node in graph.node:
            own = [held[name] for name in node.input if name in held]
            if own and node.op_type in ("Conv", "MatMul"):
                weights |= _weights_of(net, _module_name(node.name), own)
    wanted = net.state_dict()
    wrong = sorted(
        name
        for name in wanted.keys() | weights.keys()
        if not name.endswith("num_batches_tracked")
        and (name not in weights or name not in wanted or weights[name].shape != wanted[name].shape)
    )
    if wrong:
        raise ValueError(
            f"model {model.name}: its graphs are not those of the network that model.json "
            f"describes: {', '.join(wrong[:3])}{' ...' if len(wrong) > 3 else ''}"
        )
    net.load_state_dict(weights, strict=False)
    return net


def _module_name(node: str) -> str:
    """Name of the module that a node was exported from, by the scopes in the node's name.

    The scope of a module in a list holds the list's name: ``/stage8/stage8.1/conv1/conv1.0/Conv``
    is of ``stage8.1.conv1.0``.
    """
    scopes = node.strip("/").split("/")[:-1]
    kept = [scope for scope, after in pairwise([*scopes, ""]) if not after.startswith(scope + ".")]
    return ".".join(kept)


def _weights_of(net: MatcherNet, name: str, own: list[Tensor]) -> dict[str, Tensor]:
    """The state of one convolution or linear layer, and of the batch norm folded into it."""
    modules = dict(net.named_modules())
    module = modules.get(name)
    if isinstance(module, nn.Linear):
        return {f"{name}.weight": own[0].T.contiguous()}
    # Older versions exported the first convolution as the network has it.
    weight = of_blocks(own[0]) if name == FIRST_CONVOLUTION else own[0]
    weights = {f"{name}.weight": weight}
    if len(own) == 1:
        return weights
    parent, _, number = name.rpartition(".")
    norm_name = f"{parent}.{int(number) + 1}" if number.isdigit() else ""
    norm = modules.get(norm_name)
    if not isinstance(norm, nn.BatchNorm2d):
        return weights | {f"{name}.bias": own[1]}
    ones = torch.ones_like(own[1])
    return weights | {
        f"{norm_name}.weight": ones,
        f"{norm_name}.bias": own[1],
        f"{norm_name}.running_mean": torch.zeros_like(ones),
        f"{norm_name}.running_var": ones - norm.eps,
    }
