"""The training loop: gradients, schedule, checkpoints, figures."""

from __future__ import annotations

import signal
import time
from contextlib import nullcontext

import torch
from torch import Tensor, nn
from tqdm import tqdm

from coarse_loftr_lab.network.batch_norms import renew_batch_norms, shrink_scales
from coarse_loftr_lab.network.checkpoint import load_checkpoint, save_checkpoint
from coarse_loftr_lab.network.matcher_net import MatcherNet
from coarse_loftr_lab.training.board import Board
from coarse_loftr_lab.training.distributed import Processes, joined
from coarse_loftr_lab.training.ema import MovingAverage
from coarse_loftr_lab.training.ending import StopRequest, TimePlan
from coarse_loftr_lab.training.html_report import write_report
from coarse_loftr_lab.training.initialise import initialise
from coarse_loftr_lab.training.meters import Meters
from coarse_loftr_lab.training.run_folder import RunFolder
from coarse_loftr_lab.training.settings import TrainingSettings, learning_rate_factor
from coarse_loftr_lab.training.step import TrainingStep
from coarse_loftr_lab.training.stream import TrainingStream, ValidationPairs
from coarse_loftr_lab.training.teachers import load_teacher
from coarse_loftr_lab.training.truth import PairBatch
from coarse_loftr_lab.training.validation import validate

__all__ = ["Trainer", "train"]

# Of several processes: to agree, the CPU waits for the GPU.
_STEPS_BETWEEN_AGREEMENTS = 10


def train(settings: TrainingSettings, *, resume: bool = False) -> dict[str, float]:
    """Train a network and return the last validation figures.

    Under ``torchrun`` every process calls this; the first writes the run folder.

    Args:
        settings: of the run.
        resume: continue from ``last.pt``; the pairs go on where they stopped.

    Raises:
        What ``Trainer`` and its ``run`` raise.
    """
    with joined(settings.device) as processes:
        return Trainer(settings, processes, resume=resume).run()


class Trainer:
    """A network in training; all that can be refused is refused here, before the first step.

    Args:
        settings: of the run.
        processes: this process among those of the run.
        resume: continue from the run folder's ``last.pt``.

    Raises:
        FileExistsError: when the run folder holds a checkpoint and ``resume`` is false.
        FileNotFoundError: when ``resume`` is true and there is none, or data are missing.
        ValueError: when the settings do not fit the checkpoint, the processes or the teacher.
        ModuleNotFoundError: when something that the settings ask for is not installed.

    Attributes:
        stopped_by: number of the signal that has ended ``run`` early; 0 when none has.
    """

    def __init__(
        self, settings: TrainingSettings, processes: Processes, *, resume: bool = False
    ) -> None:
        if settings.amp == "float16" and processes.device.type != "cuda":
            raise ValueError("amp is float16, which needs CUDA; bfloat16 works on CPUs too")
        self.settings, self.processes = settings, processes
        self.folder = RunFolder(settings.output)
        self.folder.check(resume=resume)
        torch.set_num_threads(settings.threads)
        torch.manual_seed(settings.seed)
        device = processes.device
        torch.backends.cudnn.benchmark = True  # all steps have the same shapes
        # Channels last: about 15 % faster convolutions on a CPU, more on a GPU.
        net = MatcherNet(settings.network).to(device, memory_format=torch.channels_last)
        self.validation = ValidationPairs(settings)
        if settings.initialise is not None and not resume:
            self._say(initialise(net, settings.initialise))
            first = next(self.validation.batches(device))
            renew_batch_norms(net, torch.cat([first.reference, first.current]))
        self.average = MovingAverage(net, settings.ema_decay)
        self.net = processes.synchronise_batch_norm(net)
        self.optimiser = torch.optim.AdamW(
            self.net.parameters(),
            lr=settings.learning_rate,
            weight_decay=settings.weight_decay,
            fused=True,  # one kernel for all weights
        )
        self.scaler = torch.amp.GradScaler(device.type, enabled=settings.amp == "float16")
        self.step = 0
        self.stopped_by = 0
        self.plan = TimePlan(settings)
        self._progress = 0.0
        if resume:
            self._resume()
        teacher = None
        if settings.distillation is not None:
            size = (settings.width, settings.height)
            teacher = load_teacher(settings.distillation.teacher, device, size)
        module = TrainingStep(self.net, settings.amp, settings.distillation, teacher)
        self._module = processes.share(module)
        self.meters = Meters(device)
        self.stream = TrainingStream(settings, processes, self.step)
        wanted = settings.tensorboard and processes.first
        self.board = Board(self.folder.path / "tensorboard", enabled=wanted)

    def run(self) -> dict[str, float]:
        """Train to the end of the run and return the last validation figures.

        SIGINT and SIGTERM end it after the step at hand, with ``last.pt`` of that step.

        Raises:
            FloatingPointError: when the loss is not finite, naming the step; ``last.pt`` is from
                before it.
        """
        if self.processes.first:
            self.folder.begin(self.settings, self.step, self.processes.count)
        with StopRequest() as request:
            figures = self._run(request)
        self.board.close()
        if self.processes.first and self.stopped_by:
            name = signal.Signals(self.stopped_by).name
            self._say(
                f"{name} at step {self.step}: {self.folder.checkpoint} is saved, go on with "
                "--resume"
            )
        elif self.processes.first and figures:
            self.folder.finish(figures)
            self._say(f"report: {write_report(self.folder)}")
        return figures

    def _run(self, request: StopRequest) -> dict[str, float]:
        settings, first = self.settings, self.processes.first
        figures: dict[str, float] = {}
        batches = iter(self.stream)
        progress = tqdm(
            total=settings.steps, initial=self.step, unit="step", desc="training", disable=not first
        )
        clock = _Clock(self.step)
        self._agree(request)
        while self._progress < 1.0 and not self.stopped_by:
            self.advance([next(batches) for _ in range(settings.accumulate)])
            progress.update()
            self._agree(request)
            if self._due(settings.log_every):
                self.meters.check(settings.batch)
                means = self.meters.take(self.processes)
                means["learning_rate"] = self.optimiser.param_groups[0]["lr"]
                means |= clock.lap(self.step, settings.batch, self.stream.waited)
                if first:
                    self.folder.log("training.jsonl", {"step": self.step, **means})
                    self.board.scalars("training", means, self.step)
                    progress.set_postfix_str(_short(means))
            if first and (self.stopped_by or self._due(settings.checkpoint_every)):
                self.save()
            if self._due(settings.validate_every) and not self.stopped_by:
                if first:
                    figures = self.validate()
                self.processes.wait()
                clock.restart(self.step, self.stream.waited)
        progress.close()
        return figures

    def _agree(self, request: StopRequest) -> None:
        """How far the run is, and whether it is to stop; the same in all processes."""
        done, stop = self.plan.progress(self.step), request.number
        if self.processes.count > 1:
            last = self.step >= self.settings.steps
            if not last and self.step % _STEPS_BETWEEN_AGREEMENTS:
                return
            most = self.processes.most(torch.tensor([done, stop], device=self.processes.device))
            done, stop = float(most[0]), int(most[1])
        self._progress, self.stopped_by = done, stop

    def validate(self) -> dict[str, float]:
        """Measure the averaged weights and write figures and a picture."""
        begun = time.monotonic()
        measured, picture = validate(self.average.net, self.validation)
        figures = {"step": self.step, **measured}
        self.folder.log("figures.jsonl", figures)
        self.folder.add_picture(picture, self.step)
        self.board.scalars("validation", measured, self.step)
        self.board.picture("matches", picture, self.step)
        self._say(", ".join(f"{name} {value:g}" for name, value in figures.items()))
        self.plan.validated(time.monotonic() - begun)
        return figures

    def advance(self, parts: list[PairBatch]) -> None:
        """One optimiser step on this process's parts of its pairs."""
        settings = self.settings
        progress = self._progress if settings.max_minutes else None
        factor = learning_rate_factor(self.step, settings, progress)
        for group in self.optimiser.param_groups:
            group["lr"] = settings.learning_rate * factor
        loss = self.gradient(parts)
        self.scaler.unscale_(self.optimiser)
        norm = nn.utils.clip_grad_norm_(self.net.parameters(), settings.clip_norm)
        self.meters.add({"gradient_norm": norm})
        # The scaler of float16 skips a step whose gradient overflows, and lowers its scale.
        self.meters.watch(loss if self.scaler.is_enabled() else loss + norm, self.step)
        self.scaler.step(self.optimiser)
        self.scaler.update()
        if settings.l1:
            shrink_scales(self.net, settings.l1 * settings.learning_rate * factor)
        self.step += 1
        if self.processes.first:
            self.average.update(self.net)

    def gradient(self, parts: list[PairBatch]) -> Tensor:
        """Accumulate the gradient of the mean loss of the parts, and return that loss."""
        settings = self.settings
        self.net.train()
        self.optimiser.zero_grad(set_to_none=True)
        total = torch.zeros((), device=self.processes.device)
        for number, batch in enumerate(parts):
            sampling = torch.Generator().manual_seed(settings.seed * 1_000_003 + self.step)
            first_pair = (self.processes.rank * len(parts) + number) * len(batch)
            last = number == len(parts) - 1
            with nullcontext() if last or self.processes.count == 1 else self._module.no_sync():
                loss, figures = self._module(batch, sampling, first_pair)
                loss = loss / len(parts)
                self.scaler.scale(loss).backward()
            self.meters.add(figures)
            total += loss.detach()
        return total

    def save(self) -> None:
        """Write a checkpoint: averaged weights for use, and what a resumed run needs.

        Raises:
            FloatingPointError: when the weights are spoilt; the older file stays.
        """
        self.meters.check(self.settings.batch)
        training = {
            "weights": self.net.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "scaler": self.scaler.state_dict(),
            "updates": self.average.updates,
        }
        save_checkpoint(self.folder.checkpoint, self.average.net, self.step, training)

    def _resume(self) -> None:
        checkpoint = load_checkpoint(self.folder.checkpoint)
        if checkpoint.config != self.settings.network:
            raise ValueError(
                f"{self.folder.checkpoint} has the network {checkpoint.config}, the settings have "
                f"{self.settings.network}"
            )
        state = checkpoint.training
        if state is None:
            raise ValueError(f"{self.folder.checkpoint} is only for use: it holds no optimiser")
        if checkpoint.step >= self.settings.steps:
            raise ValueError(
                f"{self.folder.checkpoint} is of step {checkpoint.step} and the run has "
                f"{self.settings.steps}: give more steps"
            )
        self.net.load_state_dict(state["weights"])
        self.average.load(checkpoint.weights, state["updates"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.scaler.load_state_dict(state["scaler"])
        self.step = checkpoint.step

    def _say(self, sentence: str) -> None:
        if self.processes.first:
            tqdm.write(sentence)

    def _due(self, every: int) -> bool:
        return self.step % every == 0 or self._progress >= 1.0


class _Clock:
    """Pairs per second, and the share of time spent waiting for them."""

    def __init__(self, step: int) -> None:
        self.restart(step, 0.0)

    def restart(self, step: int, waited: float) -> None:
        """Begin a lap, which leaves out what came before."""
        self._step, self._waited, self._begun = step, waited, time.perf_counter()

    def lap(self, step: int, batch: int, waited: float) -> dict[str, float]:
        """Figures since the lap began, and begin the next."""
        seconds = time.perf_counter() - self._begun
        figures = {
            "pairs_per_second": (step - self._step) * batch / seconds,
            "waiting_share": (waited - self._waited) / seconds,
        }
        self.restart(step, waited)
        return figures


def _short(means: dict[str, float]) -> str:
    """What fits beside a progress bar."""
    words = [f"loss {means['loss']:.2f}"]
    if "coarse_recall" in means:
        words.append(f"recall {means['coarse_recall']:.2f}")
    words.append(f"{means['pairs_per_second']:.1f} pairs/s")
    words.append(f"{means['waiting_share']:.0%} waiting for data")
    return ", ".join(words)
