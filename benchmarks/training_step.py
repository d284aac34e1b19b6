"""What a training step costs: kernels that are started, and time of one CPU core, by its parts.

A GPU spends most of a small network's step on starting kernels, so their number is counted where
there is no GPU: every operation of PyTorch that computes (views, sizes and allocations do not), as
its profiler sees them on a CPU. Time is of the processor, so that other programs matter little.

    python benchmarks/training_step.py IMAGES --batch 8
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from torch.profiler import ProfilerActivity, profile

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lab"))

from coarse_loftr_lab.training.distributed import joined
from coarse_loftr_lab.training.settings import make_settings, read_yaml
from coarse_loftr_lab.training.trainer import Trainer
from coarse_loftr_lab.training.views import render_pairs

# Of aten: what starts no kernel.
NO_KERNEL = frozenset(
    [
        "alias",
        "as_strided",
        "chunk",
        "detach",
        "detach_",
        "empty",
        "empty_like",
        "empty_strided",
        "expand",
        "expand_as",
        "flatten",
        "is_nonzero",
        "item",
        "_local_scalar_dense",
        "lift_fresh",
        "narrow",
        "new_empty",
        "new_empty_strided",
        "numpy_T",
        "permute",
        "real",
        "_reshape_alias",
        "reshape",
        "resize_",
        "resolve_conj",
        "resolve_neg",
        "select",
        "set_",
        "slice",
        "split",
        "split_with_sizes",
        "squeeze",
        "squeeze_",
        "t",
        "to",
        "transpose",
        "unbind",
        "unflatten",
        "unsafe_view",
        "_unsafe_view",
        "unsqueeze",
        "unsqueeze_",
        "view",
        "view_as",
        "result_type",
        "_has_compatible_shallow_copy_type",
    ]
)

# On a GPU one kernel for many tensors; on a CPU they are done one by one.
ONE_KERNEL = ("_foreach_", "_fused_")


def main(arguments: Sequence[str] | None = None) -> int:
    """Count, time and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("images", type=Path)
    parser.add_argument("--config", type=Path, help="settings, as lab/config/fast.yaml")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--steps", type=int, default=6, help="that are timed")
    parser.add_argument(
        "--most", type=int, default=0, metavar="N", help="print N commonest kernels"
    )
    options = parser.parse_args(arguments)
    values = read_yaml(options.config) if options.config else {}
    values |= {"images": [str(options.images)], "batch": options.batch, "device": "cpu"}
    with TemporaryDirectory() as folder, joined("cpu") as processes:
        # As in the middle of a run: pairs of all difficulty.
        settings = make_settings({**values, "ramp": 0, "steps": 1000}, Path(folder) / "run")
        trainer = Trainer(settings, processes)
        drawn = [
            each.recipes
            for _, each in zip(range(options.steps + 1), trainer.stream.drawn(), strict=False)
        ]
        size = (settings.width, settings.height)
        made = [render_pairs(recipes, size) for recipes in drawn]
        parts: dict[str, tuple[Callable[[int], object], Callable[[int], object]]] = {
            "render": (
                lambda n: render_pairs(drawn[n], size, options.batch),  # as on a GPU
                lambda n: render_pairs(drawn[n], size),
            ),
            "advance": (lambda n: trainer.advance([made[n]]),) * 2,
        }
        total = [0.0, 0.0]
        for name, (counted, part) in parts.items():
            part(0)
            kernels: Counter[str] = Counter()
            spent = 0.0
            for n in range(1, options.steps + 1):
                kernels += count_kernels(lambda n=n, part=counted: part(n))
                start = time.process_time()
                part(n)
                spent += time.process_time() - start
            count, ms = sum(kernels.values()) / options.steps, 1e3 * spent / options.steps
            total = [total[0] + count, total[1] + ms]
            print(f"{name}: {count:.0f} kernels, {ms:.0f} ms")
            for kernel, number in kernels.most_common(options.most):
                print(f"  {number / options.steps:7.1f} {kernel}")
        print(f"a step: {total[0]:.0f} kernels, {total[1]:.0f} ms of a core")
    return 0


def count_kernels(work: Callable[[], object]) -> Counter[str]:
    """Operations that compute, innermost ones alone, by name."""
    with profile(activities=[ProfilerActivity.CPU]) as recorded:
        work()
    found: Counter[str] = Counter()
    for event in recorded.events():
        name = event.name.removeprefix("aten::")
        if not event.name.startswith("aten::") or name in NO_KERNEL or within_one(event):
            continue
        if name.startswith(ONE_KERNEL):
            found[name] += 1
            continue
        inner = [child.name.removeprefix("aten::") for child in event.cpu_children]
        if not any(child not in NO_KERNEL for child in inner):
            found[name] += 1
    return found


def within_one(event: Any) -> bool:
    """Whether an operation is part of one that a GPU does with one kernel."""
    parent = event.cpu_parent
    while parent is not None:
        if parent.name.removeprefix("aten::").startswith(ONE_KERNEL):
            return True
        parent = parent.cpu_parent
    return False


if __name__ == "__main__":
    raise SystemExit(main())
