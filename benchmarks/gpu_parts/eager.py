"""The shipped network in eager PyTorch, what TensorRT is compared with."""

from __future__ import annotations

from typing import Any

import numpy as np

from coarse_loftr_ros.backends.base import ModelFiles
from coarse_loftr_ros.images.preprocessing import NetworkSize
from gpu_parts.times import timed

__all__ = ["eager"]


def eager(model: ModelFiles, size: NetworkSize, rounds: int) -> dict[str, Any]:
    """Milliseconds of the network without a compiler; on a GPU in fp32 and fp16, else in fp32.

    A frame is what TensorRT's is (the grey image goes up and becomes float there, one *encode*,
    one *match*), but nothing is decoded and nothing comes back: the comparison errs in favour of
    PyTorch. Convolutions do not use TensorFloat-32, as in our engines.
    """
    import torch

    from coarse_loftr_lab.network.restore import restore_network

    on_gpu = torch.cuda.is_available()
    device = torch.device("cuda" if on_gpu else "cpu")
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cudnn.benchmark = True
    wait = torch.cuda.synchronize if on_gpu else lambda: None
    grey = torch.from_numpy(
        np.random.default_rng(0).integers(0, 256, (1, 1, size.height, size.width), np.uint8)
    )
    grey = grey.pin_memory() if on_gpu else grey
    result: dict[str, Any] = {"device": device.type}
    for precision, dtype in (("fp32", torch.float32), ("fp16", torch.float16)):
        if dtype is torch.float16 and not on_gpu:
            continue
        net = restore_network(model).to(device, dtype, memory_format=torch.channels_last)

        def encoded(net=net, dtype=dtype) -> torch.Tensor:
            return net.encode(grey.to(device, non_blocking=True).to(dtype) / 255)[0]

        def encode(encoded=encoded) -> None:
            encoded()
            wait()

        with torch.inference_mode():
            reference = encoded()

            def match(net=net, tokens=reference) -> None:
                net.match(tokens, tokens)
                wait()

            def frame(net=net, encoded=encoded, tokens=reference) -> None:
                net.match(tokens, encoded())
                wait()

            steps = {"encode": encode, "match": match, "frame": frame}
            result[precision] = {name: timed(step, rounds) for name, step in steps.items()}
    return result
