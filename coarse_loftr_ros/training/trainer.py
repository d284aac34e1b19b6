"""The training loop: data, schedule, checkpoints, validation figures."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import DataLoader, Subset
from tqdm import tqdm

from coarse_loftr_ros.network.checkpoint import load_checkpoint, save_checkpoint
from coarse_loftr_ros.network.matcher_net import SIZE_MULTIPLE, MatcherConfig, MatcherNet
from coarse_loftr_ros.training.recipes import PairRecipes, RecipeBatch, SceneMix, find_images
from coarse_loftr_ros.training.supervision import PairFigures, supervise
from coarse_loftr_ros.training.views import render_pairs

__all__ = ["TrainingSettings", "learning_rate_factor", "train"]


@dataclass(frozen=True)
class TrainingSettings:
    """Everything that decides a training run.

    Attributes:
        images: folder of photographs, searched recursively; a fixed share of them, chosen by
            name, is kept for validation.
        output: run folder for checkpoints and figures.
        steps: optimiser steps of the whole run; may be changed when a run is resumed.
        batch: pairs per step.
        width: of the views, a multiple of 32.
        height: of the views, a multiple of 32.
        learning_rate: peak of the schedule.
        weight_decay: of AdamW.
        warmup: steps of linear rise at the start.
        decay_share: share of the steps at the end over which the rate falls to zero.
        ramp: steps over which the pairs grow from a third of their difficulty to all of it.
        seed: of pairs, weights and sampling.
        threads: CPU threads of PyTorch; 1 when anything else runs on the machine.
        workers: processes that make pairs; 0 makes them between the steps.
        device: ``cpu`` or ``cuda``.
        validate_every: steps between validations.
        checkpoint_every: steps between checkpoints.
        validation_pairs: fixed pairs of the held-out photographs.
        network: shape of the network.
        mix: what kinds of pairs.
    """

    images: Path
    output: Path
    steps: int = 12000
    batch: int = 8
    width: int = 320
    height: int = 256
    learning_rate: float = 1.5e-3
    weight_decay: float = 1e-4
    warmup: int = 300
    decay_share: float = 0.4
    ramp: int = 1500
    seed: int = 1
    threads: int = 1
    workers: int = 0
    device: str = "cpu"
    validate_every: int = 500
    checkpoint_every: int = 250
    validation_pairs: int = 64
    network: MatcherConfig = field(default_factory=MatcherConfig)
    mix: SceneMix = field(default_factory=SceneMix)

    def __post_init__(self) -> None:
        for name in ("width", "height"):
            value = getattr(self, name)
            if value < SIZE_MULTIPLE or value % SIZE_MULTIPLE:
                raise ValueError(f"{name} is {value}; it must be a multiple of {SIZE_MULTIPLE}")
        for name in ("steps", "batch", "threads", "validate_every", "checkpoint_every"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be at least 1")
        if not self.images.is_dir():
            raise FileNotFoundError(f"images: {self.images} is not a folder")

    @property
    def checkpoint(self) -> Path:
        """The file that a resumed run continues from."""
        return self.output / "last.pt"

    def to_json(self) -> dict[str, Any]:
        """Plain values, for the run folder."""
        values = asdict(self)
        values.update(images=self.images.name, output=self.output.name)
        return values


def learning_rate_factor(step: int, settings: TrainingSettings) -> float:
    """Share of the peak rate at ``step``: a rise, a plateau, a linear fall to zero.

    The plateau makes a run's length a decision that can be changed while it runs.
    """
    if step < settings.warmup:
        return (step + 1) / settings.warmup
    decay_start = settings.steps * (1 - settings.decay_share)
    if step < decay_start:
        return 1.0
    return max(0.0, (settings.steps - step) / (settings.steps - decay_start))


def train(settings: TrainingSettings, *, resume: bool = False) -> dict[str, float]:
    """Train a network and return the last validation figures.

    Writes ``last.pt`` (weights, optimiser, step), ``settings.json`` and ``figures.jsonl`` (one
    line per validation) into the run folder.

    Args:
        settings: of the run.
        resume: continue from ``last.pt``; the pairs go on where they stopped.

    Raises:
        FileExistsError: when the run folder holds a checkpoint and ``resume`` is false.
        FileNotFoundError: when ``resume`` is true and there is none.
    """
    if resume and not settings.checkpoint.exists():
        raise FileNotFoundError(f"nothing to resume: {settings.checkpoint} does not exist")
    if not resume and settings.checkpoint.exists():
        raise FileExistsError(f"{settings.checkpoint} exists; resume it or name another folder")
    settings.output.mkdir(parents=True, exist_ok=True)
    (settings.output / "settings.json").write_text(json.dumps(settings.to_json(), indent=2) + "\n")

    torch.set_num_threads(settings.threads)
    torch.manual_seed(settings.seed)
    device = torch.device(settings.device)
    # Channels last: about 15 % faster convolutions on a CPU, more on a GPU.
    net = MatcherNet(settings.network).to(device, memory_format=torch.channels_last)
    optimiser = torch.optim.AdamW(
        net.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay
    )
    step = 0
    if resume:
        checkpoint = load_checkpoint(settings.checkpoint)
        net.load_state_dict(checkpoint.weights)
        if checkpoint.optimiser is not None:
            optimiser.load_state_dict(checkpoint.optimiser)
        step = checkpoint.step

    figures: dict[str, float] = {}
    progress = tqdm(total=settings.steps, initial=step, unit="step", desc="training")
    for batch in _batches(settings, step):
        for group in optimiser.param_groups:
            group["lr"] = settings.learning_rate * learning_rate_factor(step, settings)
        net.train()
        sampling = torch.Generator().manual_seed(settings.seed * 1_000_003 + step)
        pairs = render_pairs(batch.to(device), (settings.width, settings.height))
        result = supervise(net, pairs, sampling)
        optimiser.zero_grad(set_to_none=True)
        result.loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimiser.step()
        step += 1
        progress.update()
        if step % 20 == 0:
            progress.set_postfix(
                loss=f"{result.loss.item():.2f}",
                recall=f"{result.coarse_recall.item():.2f}",
                fine=f"{result.fine_error_px.item():.2f}px",
            )
        last = step == settings.steps
        if step % settings.checkpoint_every == 0 or last:
            save_checkpoint(settings.checkpoint, net, step, optimiser)
        if step % settings.validate_every == 0 or last:
            figures = {"step": step, **validate(net, settings)}
            with (settings.output / "figures.jsonl").open("a") as file:
                file.write(json.dumps(figures) + "\n")
            progress.write(json.dumps(figures))
    progress.close()
    return figures


@torch.no_grad()
def validate(net: MatcherNet, settings: TrainingSettings) -> dict[str, float]:
    """Figures on fixed pairs of the held-out photographs."""
    device = next(net.parameters()).device
    images = find_images(settings.images, held_out_split=True)
    size = settings.width, settings.height
    recipes = PairRecipes(images, size, settings.validation_pairs, seed=0)
    was_training = net.training
    net.eval()
    results: list[PairFigures] = []
    start = time.perf_counter()
    for number, batch in enumerate(
        DataLoader(recipes, settings.batch, collate_fn=PairRecipes.collate)
    ):
        sampling = torch.Generator().manual_seed(number)
        results.append(supervise(net, render_pairs(batch.to(device), size), sampling))
    seconds = time.perf_counter() - start
    net.train(was_training)
    names = ("loss", "coarse_loss", "fine_loss", "coarse_recall", "coarse_exact", "fine_error_px")
    means = {
        name: round(float(torch.stack([getattr(r, name) for r in results]).mean()), 4)
        for name in names
    }
    return {**means, "seconds": round(seconds, 2)}


def _batches(settings: TrainingSettings, step: int) -> Iterator[RecipeBatch]:
    """Batches from ``step`` to the end of the run."""
    recipes = PairRecipes(
        find_images(settings.images, held_out_split=False),
        (settings.width, settings.height),
        settings.steps * settings.batch,
        settings.seed,
        settings.mix,
        ramp=settings.ramp * settings.batch,
    )
    rest = Subset(recipes, range(step * settings.batch, len(recipes)))
    yield from DataLoader(
        rest,
        settings.batch,
        num_workers=settings.workers,
        collate_fn=PairRecipes.collate,
        persistent_workers=settings.workers > 0,
    )
