"""What a training step costs: kernels that are started, and time of one CPU core, by its parts.

A GPU spends most of a small network's step on starting kernels, so their number is counted where
there is no GPU: every operation of PyTorch that computes (views, sizes and allocations do not), as
its profiler sees them on a CPU. Time is of the processor, so that other programs matter little.

    python benchmarks/training_step.py IMAGES --batch 8
    python benchmarks/training_step.py IMAGES --batch 8 --steps 40 --against REVISION

The second runs a step here and one of another revision in turn, on the same pairs.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from torch.profiler import ProfilerActivity, profile

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lab"))

from coarse_loftr_lab.evaluation.revisions import WORKING_TREE, checked_out
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
    parser.add_argument(
        "--against", metavar="REVISION", help="compare with it, in turn, instead of counting"
    )
    options = parser.parse_args(arguments)
    values = read_yaml(options.config) if options.config else {}
    values |= {"images": [str(options.images.resolve())], "batch": options.batch, "device": "cpu"}
    # As in the middle of a run: pairs of all difficulty.
    values |= {"ramp": 0, "steps": 1000}
    if options.against is not None:
        with checked_out(options.against) as tree:
            compare(tree, values, options.steps)
        return 0
    with TemporaryDirectory() as folder, joined("cpu") as processes:
        settings = make_settings(values, Path(folder) / "run")
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


def compare(tree: Path, values: dict[str, Any], steps: int) -> None:
    """Print what the parts of a step cost in another checkout and here, and how often as much.

    Args:
        tree: the other checkout.
        values: settings of both.
        steps: that are timed, after two that are not.
    """
    with ExitStack() as stack:
        before, now = (Driver(each, values, stack) for each in (tree, WORKING_TREE))
        times = []
        for number in range(steps + 2):
            order = (before, now) if number % 2 else (now, before)
            took = {driver: driver.step() for driver in order}
            times.append([took[before], took[now]])
    spent = 1e3 * np.array(times[2:])
    spent = np.concatenate([spent, spent.sum(2, keepdims=True)], axis=2)
    for part, name in enumerate(("draw", "render", "advance", "a step")):
        old, new = spent[:, :, part].T
        low, middle, high = np.percentile(old / new, (25, 50, 75))
        print(
            f"{name}: {np.median(old):.0f} ms of a core, now {np.median(new):.0f}: "
            f"{middle:.2f} times less (quartiles {low:.2f} to {high:.2f})"
        )


class Driver:
    """Training in a checkout, in a process of its own on one thread.

    Args:
        tree: the checkout.
        values: settings of the run.
        stack: ends the process.
    """

    def __init__(self, tree: Path, values: dict[str, Any], stack: ExitStack) -> None:
        self.tree = tree
        self._process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("training_step_driver.py")), str(tree)],
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        stack.enter_context(self._process)
        self._write(json.dumps(values))

    def step(self) -> list[float]:
        """Processor time of drawing pairs, rendering them, and all the rest, in seconds."""
        self._write("")
        answer = self._process.stdout.readline()
        if not answer:
            raise ValueError(f"{self.tree} does not train here (see above)")
        return json.loads(answer)

    def _write(self, line: str) -> None:
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()


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
