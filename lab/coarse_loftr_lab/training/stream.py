"""The pairs of a run in order: drawn by number, dealt out to processes, made on the device."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from coarse_loftr_lab.training.depth_sequences.pairs import PosedPair, PosedPairs
from coarse_loftr_lab.training.depth_sequences.registry import open_layout
from coarse_loftr_lab.training.distributed import Processes
from coarse_loftr_lab.training.labelled_pairs import LabelledPair, LabelledPairs
from coarse_loftr_lab.training.recipes import PairRecipes, RecipeBatch, find_images
from coarse_loftr_lab.training.settings import SequenceSettings, TrainingSettings
from coarse_loftr_lab.training.truth import PairBatch
from coarse_loftr_lab.training.views import render_pairs

__all__ = ["TrainingStream", "ValidationPairs"]

_SOURCE = 7919  # separates the draw of a pair's source from the draws of the pair itself


@dataclass(frozen=True, eq=False)
class _Drawn:
    """What the loader's processes hand over: recipes to render, and pairs of real images."""

    recipes: RecipeBatch | None
    real: tuple[PosedPair | LabelledPair, ...]

    def pin_memory(self) -> _Drawn:
        """What is large in memory that a GPU reads by itself."""
        recipes = self.recipes
        if recipes is not None:
            recipes = replace(recipes, textures=recipes.textures.pin_memory())
        return _Drawn(recipes, tuple(pairs.pin_memory() for pairs in self.real))

    def made(self, size: tuple[int, int], device: torch.device) -> PairBatch:
        """The pairs, rendered on the device."""
        parts = []
        if self.recipes is not None:
            parts.append(render_pairs(self.recipes.to(device), size))
        parts += [pairs.to(device).with_truth() for pairs in self.real]
        return parts[0] if len(parts) == 1 else PairBatch.concatenate(parts)


class _MixedPairs(Dataset[Any]):
    """Pair ``n`` is a recipe or a pair of real images; which one is drawn from its number."""

    def __init__(self, settings: TrainingSettings) -> None:
        size = (settings.width, settings.height)
        self.recipes = PairRecipes(
            find_images(*settings.images, held_out_split=False),
            size,
            settings.steps * settings.batch,
            settings.seed,
            settings.mix,
            ramp=settings.ramp * settings.batch,
        )
        self.sequences = [
            _real_pairs(sequence, size, settings.seed) for sequence in settings.sequences
        ]
        self.limits = np.cumsum([sequence.share for sequence in settings.sequences])
        self.seed = settings.seed

    def __len__(self) -> int:
        return len(self.recipes)

    def __getitem__(self, number: int) -> Any:
        if self.sequences:
            draw = np.random.default_rng((self.seed, number, _SOURCE)).random()
            source = int(np.searchsorted(self.limits, draw, side="right"))
            if source < len(self.sequences):
                return self.sequences[source][number]
        return self.recipes[number]

    @staticmethod
    def collate(pairs: list[Any]) -> _Drawn:
        """Side by side, each kind for itself."""
        kinds = (PosedPair, LabelledPair)
        recipes = [pair for pair in pairs if not isinstance(pair, kinds)]
        real = [(kind, [pair for pair in pairs if isinstance(pair, kind)]) for kind in kinds]
        return _Drawn(
            PairRecipes.collate(recipes) if recipes else None,
            tuple(kind.collate(own) for kind, own in real if own),
        )


def _real_pairs(
    sequence: SequenceSettings, size: tuple[int, int], seed: int
) -> PosedPairs | LabelledPairs:
    if sequence.layout == "labelled":
        return LabelledPairs(sequence.folder, size, seed)
    return PosedPairs(open_layout(sequence), size, sequence.overlap, seed)


class TrainingStream:
    """The pairs that one process sees, in parts of a step.

    Step ``s`` has the pairs ``s * batch`` to ``(s + 1) * batch`` of the run's seed, whatever the
    number of processes and parts: process ``r`` takes the ``r``-th piece of them, in order.

    Args:
        settings: of the run.
        processes: among which the pairs are dealt out.
        first_step: where a resumed run goes on.

    Attributes:
        waited: seconds spent waiting for the loader so far.
    """

    def __init__(self, settings: TrainingSettings, processes: Processes, first_step: int) -> None:
        self.waited = 0.0
        self._size = (settings.width, settings.height)
        self._device = processes.device
        part = settings.part(processes.count)
        per_process = settings.batch // processes.count
        first = [
            step * settings.batch + processes.rank * per_process + number * part
            for step in range(first_step, settings.steps)
            for number in range(settings.accumulate)
        ]
        self._loader = DataLoader(
            _MixedPairs(settings),
            batch_sampler=[range(start, start + part) for start in first],
            collate_fn=_MixedPairs.collate,
            num_workers=settings.workers,
            worker_init_fn=_leave_interrupts_to_the_run,
            pin_memory=processes.device.type == "cuda",
        )

    def drawn(self) -> Iterator[_Drawn]:
        """The parts before they are rendered."""
        return iter(self._loader)

    def __iter__(self) -> Iterator[PairBatch]:
        drawn = self.drawn()
        while True:
            start = time.perf_counter()
            batch = next(drawn, None)
            self.waited += time.perf_counter() - start
            if batch is None:
                return
            yield batch.made(self._size, self._device)


def _leave_interrupts_to_the_run(worker: int) -> None:
    """Ctrl-C reaches every process of a terminal, and the step at hand still needs its pairs."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


class ValidationPairs:
    """Fixed pairs of the held-out photographs, the same for every run of these settings.

    Args:
        settings: of the run.

    Raises:
        FileNotFoundError: when no photograph is held out.
    """

    def __init__(self, settings: TrainingSettings) -> None:
        self._size = (settings.width, settings.height)
        images = find_images(*settings.images, held_out_split=True)
        count = settings.validation_pairs
        recipes = PairRecipes(images, self._size, count, 0, settings.mix)
        part = min(settings.part(1), count)
        self._loader = DataLoader(recipes, part, collate_fn=PairRecipes.collate)

    def batches(self, device: torch.device) -> Iterator[PairBatch]:
        """The pairs, rendered on a device."""
        for recipes in self._loader:
            yield render_pairs(recipes.to(device), self._size)
