"""One process or several: what ``torchrun`` starts, and what each of them does."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor, nn

__all__ = ["Processes", "joined"]


@dataclass(frozen=True)
class Processes:
    """This process among those that train together.

    Attributes:
        rank: its number; the first, 0, writes, logs and validates.
        count: of processes.
        device: on which it computes.
    """

    rank: int
    count: int
    device: torch.device

    @property
    def first(self) -> bool:
        """Whether it is the one that writes."""
        return self.rank == 0

    def share(self, module: nn.Module) -> nn.Module:
        """The module as all processes train it together: equal weights, averaged gradients.

        A module of which a step leaves parameters unused (no fine point in view, distillation
        without truth) is allowed.
        """
        if self.count == 1:
            return module
        devices = [self.device] if self.device.type == "cuda" else None
        return nn.parallel.DistributedDataParallel(
            module, device_ids=devices, find_unused_parameters=True
        )

    def synchronise_batch_norm(self, net: nn.Module) -> nn.Module:
        """Batch norm over the pairs of all processes; PyTorch has it on CUDA only.

        On CPUs each process normalises by its own pairs, and the running statistics are those of
        the first process.
        """
        if self.count == 1 or self.device.type != "cuda":
            return net
        return nn.SyncBatchNorm.convert_sync_batchnorm(net)

    def mean(self, values: Tensor) -> Tensor:
        """Average over all processes of a vector."""
        if self.count > 1:
            dist.all_reduce(values)
            values /= self.count
        return values

    def most(self, values: Tensor) -> Tensor:
        """Largest over all processes of a vector."""
        if self.count > 1:
            dist.all_reduce(values, dist.ReduceOp.MAX)
        return values

    def wait(self) -> None:
        """Until all processes are here."""
        if self.count > 1:
            dist.barrier()


@contextmanager
def joined(device: str) -> Iterator[Processes]:
    """Join the processes that ``torchrun`` started; alone where there is no ``torchrun``.

    Args:
        device: ``cpu``, ``cuda`` (each process takes the GPU of its local rank), or ``auto``.

    Raises:
        ValueError: for another device, or ``cuda`` where PyTorch finds too few GPUs.
    """
    if device not in ("auto", "cpu", "cuda"):
        raise ValueError(f"device is {device!r}; it must be auto, cpu or cuda")
    local, count = int(os.environ.get("LOCAL_RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
    here, gpus = int(os.environ.get("LOCAL_WORLD_SIZE", 1)), torch.cuda.device_count()
    if device == "cuda" and gpus < here:
        raise ValueError(f"device is cuda, but PyTorch finds {gpus} GPU(s) for {here} process(es)")
    if device == "cpu" or gpus < here:
        chosen = torch.device("cpu")
    else:
        chosen = torch.device("cuda", local)
        torch.cuda.set_device(chosen)
    if count == 1:
        yield Processes(0, 1, chosen)
        return
    dist.init_process_group("nccl" if chosen.type == "cuda" else "gloo")
    try:
        yield Processes(dist.get_rank(), count, chosen)
    finally:
        dist.destroy_process_group()
