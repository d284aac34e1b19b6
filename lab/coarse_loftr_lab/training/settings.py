"""Everything that decides a training run, and its YAML form."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from coarse_loftr_lab.network.matcher_net import SIZE_MULTIPLE, MatcherConfig
from coarse_loftr_lab.training.plain_values import from_plain, to_plain
from coarse_loftr_lab.training.recipes import SceneMix
from coarse_loftr_ros.files.whole_files import whole_file

__all__ = [
    "DistillationSettings",
    "SequenceSettings",
    "TrainingSettings",
    "learning_rate_factor",
    "make_settings",
    "read_yaml",
    "write_yaml",
]

AMP = ("off", "bfloat16", "float16")
LAYOUTS = ("blended_mvs", "mega_depth", "tum_rgbd", "frames", "labelled")


@dataclass(frozen=True)
class DistillationSettings:
    """A teacher whose confidences the network learns to give; see ``distillation.py``.

    Attributes:
        teacher: checkpoint of this project, exported model or name of a shipped one, published
            Coarse LoFTR checkpoint, ONNX pair graph, or LoFTR weights for kornia.
        ground_truth_weight: of the supervised loss; the teacher's has the rest of 1. With 0 the
            pairs need no truth.
        temperature: 1 compares the confidences as they are, more also compares the faint ones.
    """

    teacher: Path
    ground_truth_weight: float = 0.3
    temperature: float = 2.0

    def __post_init__(self) -> None:
        if not 0.0 <= self.ground_truth_weight < 1.0:
            raise ValueError(
                f"distillation.ground_truth_weight is {self.ground_truth_weight:g}; it must be at "
                "least 0 and below 1 (1 would need no teacher)"
            )
        if not self.temperature > 0:
            raise ValueError(
                f"distillation.temperature is {self.temperature:g}; it must be above 0"
            )


@dataclass(frozen=True)
class SequenceSettings:
    """Images with known depth and poses, or with labels, that take a share of the pairs.

    Attributes:
        layout: one of ``LAYOUTS``; ``frames`` are images in the order of their names, without
            truth, for distillation; ``labelled`` is what ``coarse-loftr label`` wrote.
        folder: root of the data.
        share: of all pairs.
        overlap: least and largest share of the reference's known pixels that the current image
            sees; labels have their pairs.
        index: ``mega_depth`` only: folder of its ``scene_info`` npz files.
        intrinsics: ``tum_rgbd`` only: fx, fy, cx, cy in px.
        gap: ``tum_rgbd`` and ``frames``: largest distance between the images of a pair, in images.
    """

    layout: str
    folder: Path
    share: float = 0.2
    overlap: tuple[float, float] = (0.3, 0.9)
    index: Path | None = None
    intrinsics: tuple[float, float, float, float] = (525.0, 525.0, 319.5, 239.5)
    gap: int = 30

    def __post_init__(self) -> None:
        if self.layout not in LAYOUTS:
            raise ValueError(f"layout is {self.layout!r}; it must be one of {', '.join(LAYOUTS)}")
        if not self.folder.is_dir():
            raise FileNotFoundError(f"sequences: {self.folder} is not a folder")
        if not 0.0 < self.share <= 1.0:
            raise ValueError(f"share is {self.share:g}; it must be above 0 and at most 1")
        low, high = self.overlap
        if not 0.0 <= low < high <= 1.0:
            raise ValueError(f"overlap is [{low:g}, {high:g}]; it must rise within 0 and 1")
        if self.gap < 1:
            raise ValueError(f"gap is {self.gap}; it must be at least 1")
        if self.layout == "mega_depth" and self.index is None:
            raise ValueError("index is missing: mega_depth needs the folder of its npz files")


@dataclass(frozen=True)
class TrainingSettings:
    """Everything that decides a training run.

    Attributes:
        images: folders of photographs, searched recursively; a fixed share of them, chosen by
            name, is kept for validation.
        output: run folder for checkpoints, figures, pictures and the report.
        steps: optimiser steps of the whole run; may be changed when a run is resumed.
        max_minutes: that training may take from its start or resumption on, ending included: the
            rate's fall and the end are planned for it, where ``steps`` would take longer; 0 sets
            no limit.
        batch: pairs per step, over all processes together.
        accumulate: parts that each process makes of its pairs, one after the other, when they
            do not fit into memory together.
        width: of the views, a multiple of 32.
        height: of the views, a multiple of 32.
        learning_rate: peak of the schedule.
        weight_decay: of AdamW.
        l1: pull of the batch norms' scales towards zero, by itself, before ``coarse-loftr prune``.
        warmup: steps of linear rise at the start.
        decay_share: share of the steps at the end over which the rate falls to zero.
        clip_norm: largest norm of the gradient.
        ema_decay: of the moving average of the weights that is validated and exported; 0 is off.
        amp: ``off``, ``bfloat16`` or ``float16`` (with a scaled loss; CUDA only).
        ramp: steps over which the pairs grow from a third of their difficulty to all of it.
        seed: of pairs, weights and sampling.
        threads: CPU threads of PyTorch; 1 when anything else runs on the machine.
        workers: processes that read images; 0 reads between the steps.
        device: ``cpu``, ``cuda``, or ``auto``: CUDA where there is one.
        validate_every: steps between validations.
        checkpoint_every: steps between checkpoints.
        log_every: steps between lines of training figures.
        validation_pairs: fixed pairs of the held-out photographs.
        tensorboard: whether to write TensorBoard's files into the run folder.
        initialise: checkpoint, folder of an exported model or name of a shipped one, whose weights
            are taken where names and shapes agree.
        network: shape of the network.
        mix: what kinds of pairs are drawn from the photographs.
        distillation: the teacher, if there is one.
        sequences: further pairs, of posed or labelled images.
    """

    images: tuple[Path, ...]
    output: Path
    steps: int = 12000
    max_minutes: float = 0.0
    batch: int = 8
    accumulate: int = 1
    width: int = 320
    height: int = 256
    learning_rate: float = 1.5e-3
    weight_decay: float = 1e-4
    l1: float = 0.0
    warmup: int = 300
    decay_share: float = 0.4
    clip_norm: float = 1.0
    ema_decay: float = 0.999
    amp: str = "off"
    ramp: int = 1500
    seed: int = 1
    threads: int = 1
    workers: int = 0
    device: str = "auto"
    validate_every: int = 500
    checkpoint_every: int = 250
    log_every: int = 20
    validation_pairs: int = 64
    tensorboard: bool = False
    initialise: Path | None = None
    network: MatcherConfig = field(default_factory=MatcherConfig)
    mix: SceneMix = field(default_factory=SceneMix)
    distillation: DistillationSettings | None = None
    sequences: tuple[SequenceSettings, ...] = ()

    def __post_init__(self) -> None:
        for name in ("width", "height"):
            value = getattr(self, name)
            if value < SIZE_MULTIPLE or value % SIZE_MULTIPLE:
                raise ValueError(f"{name} is {value}; it must be a multiple of {SIZE_MULTIPLE}")
        counts = ("steps", "batch", "accumulate", "threads", "validate_every", "checkpoint_every")
        for name in (*counts, "log_every", "validation_pairs"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be at least 1")
        if not 0.0 <= self.max_minutes < float("inf"):
            raise ValueError(f"max_minutes is {self.max_minutes:g}; it must be 0 or more")
        if not 0.0 <= self.l1 < float("inf"):
            raise ValueError(f"l1 is {self.l1:g}; it must be 0 or more")
        if self.amp not in AMP:
            raise ValueError(f"amp is {self.amp!r}; it must be one of {', '.join(AMP)}")
        if not 0.0 <= self.ema_decay < 1.0:
            raise ValueError(f"ema_decay is {self.ema_decay:g}; it must be at least 0 and below 1")
        if sum(sequence.share for sequence in self.sequences) > 1.0:
            raise ValueError("the shares of the sequences add up to more than 1")
        if not self.images:
            raise ValueError("images: give at least one folder of photographs")
        for folder in self.images:
            if not folder.is_dir():
                raise FileNotFoundError(f"images: {folder} is not a folder")
        without_truth = any(sequence.layout == "frames" for sequence in self.sequences)
        if without_truth and self.distillation is None:
            raise ValueError("sequences of the layout frames have no truth: they need distillation")

    def part(self, processes: int) -> int:
        """Pairs that one process handles at once.

        Raises:
            ValueError: when the pairs of a step cannot be dealt out evenly.
        """
        if self.batch % (processes * self.accumulate):
            raise ValueError(
                f"batch is {self.batch}; {processes} process(es) with accumulate "
                f"{self.accumulate} need a multiple of {processes * self.accumulate}"
            )
        return self.batch // (processes * self.accumulate)


def learning_rate_factor(
    step: int, settings: TrainingSettings, progress: float | None = None
) -> float:
    """Share of the peak rate at ``step``: a rise, a plateau, a linear fall to zero.

    The plateau makes a run's length a decision that can be changed while it runs. A run that ends
    before its rise does falls all the same.

    Args:
        step: number of the step.
        settings: of the run.
        progress: share of the run that is done, where its end is not that of ``steps``.
    """
    risen = (step + 1) / settings.warmup if settings.warmup else 1.0
    left = 1.0 - (step / settings.steps if progress is None else progress)
    if left > settings.decay_share:
        return min(1.0, risen)
    return min(risen, max(0.0, left / settings.decay_share)) if settings.decay_share else 0.0


def read_yaml(path: Path) -> dict[str, Any]:
    """The plain values of a settings file.

    Raises:
        FileNotFoundError: when it is not there.
        ValueError: when it is not YAML with keys and values.
    """
    import yaml

    try:
        values = yaml.safe_load(path.read_text())
    except (yaml.YAMLError, RecursionError) as error:
        raise ValueError(f"{path} is not YAML: {error}") from error
    if not isinstance(values, dict):
        raise ValueError(f"{path} holds no keys and values")
    return values


def write_yaml(path: Path, settings: TrainingSettings) -> None:
    """Write all settings, defaults included, but not the folder they are written into."""
    import yaml

    values = to_plain(settings)
    del values["output"]
    with whole_file(path) as new:
        new.write_text(yaml.safe_dump(values, sort_keys=False, default_flow_style=None))


def make_settings(values: dict[str, Any], output: Path) -> TrainingSettings:
    """Checked settings of plain values and the run folder.

    Raises:
        ValueError: naming what is wrong and what is allowed.
        FileNotFoundError: for a folder that does not exist.
    """
    if "output" in values:
        raise ValueError("output: the run folder is given on the command line, not in the settings")
    return from_plain(TrainingSettings, {**values, "output": output})
