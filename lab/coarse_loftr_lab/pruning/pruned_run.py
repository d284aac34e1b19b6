"""A pruned network as a folder that exports, loads and trains like any run."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from coarse_loftr_lab.evaluation.tables import text_table
from coarse_loftr_lab.network.checkpoint import save_checkpoint
from coarse_loftr_lab.network.config import MatcherConfig
from coarse_loftr_lab.network.cost import network_macs, network_parameters
from coarse_loftr_lab.pruning.calibration import CalibrationPairs
from coarse_loftr_lab.pruning.channels import ChannelGroup, Pruner
from coarse_loftr_lab.pruning.source import Source
from coarse_loftr_lab.training.plain_values import to_plain
from coarse_loftr_ros.files.whole_files import whole_file

__all__ = ["Amount", "PrunedRun", "prune"]


@dataclass(frozen=True)
class Amount:
    """How much is pruned; one of the two is given.

    Attributes:
        threshold: least importance of a channel that stays, as a share of its group's mean.
        macs: most multiplications that are left, as a share of those before.
    """

    threshold: float | None = None
    macs: float | None = None

    def __post_init__(self) -> None:
        if (self.threshold is None) == (self.macs is None):
            raise ValueError("give either a threshold or a share of the multiplications")
        if self.threshold is not None and not 0.0 < self.threshold < float("inf"):
            raise ValueError(f"threshold is {self.threshold:g}; it must be above 0")
        if self.macs is not None and not 0.0 < self.macs < 1.0:
            raise ValueError(
                f"share of multiplications is {self.macs:g}; it must be within 0 and 1"
            )

    def __str__(self) -> str:
        return f"threshold {self.threshold:g}" if self.macs is None else f"macs {self.macs:g}"


class PrunedRun:
    """The folder that ``prune`` writes.

    ``last.pt``, the pruned network; ``retrain.yaml``, settings with which ``coarse-loftr train``
    trains it on, taught by the network that it was made from; ``pruning.json``, what went.

    Args:
        path: of the folder.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.checkpoint = path / "last.pt"
        self.settings = path / "retrain.yaml"
        self.report = path / "pruning.json"
        self.model = path / "model"

    def facts(self) -> dict[str, Any]:
        """What ``pruning.json`` says."""
        return json.loads(self.report.read_text())

    @classmethod
    def of_checkpoint(cls, checkpoint: Path) -> PrunedRun | None:
        """The folder that holds a checkpoint, where pruning made it."""
        folder = cls(checkpoint.parent)
        return folder if folder.report.is_file() else None

    def sentence(self) -> str:
        """What was pruned, for a model's card."""
        facts = self.facts()
        before, after = (f"{facts[when]['parameters'] / 1e6:.2f}" for when in ("before", "after"))
        return (
            f"{facts['source']}, pruned to {facts['amount']} by {facts['criterion']} (channels in "
            f"multiples of {facts['multiple']}): {before} to {after} million parameters"
        )


def prune(
    source: Source,
    folder: PrunedRun,
    amount: Amount,
    criterion: str = "l1",
    multiple: int = 8,
    calibration: CalibrationPairs | None = None,
    keep: Sequence[str] = (),
) -> str:
    """Prune a network and write what came of it.

    Args:
        source: its network is changed in its batch norms alone, and computes the same.
        folder: written to; files of the same names are replaced.
        amount: how much goes.
        criterion: what a channel is judged by; ``taylor`` needs calibration.
        multiple: of channels, that every layer keeps.
        calibration: pairs that give gradients and the batch norms' statistics.
        keep: layers whose channels all stay.

    Returns:
        A table of what went.

    Raises:
        ValueError: when the criterion needs pairs, or as much cannot go.
    """
    if criterion == "taylor" and calibration is None:
        raise ValueError("criterion taylor needs the gradients of calibration images")
    if calibration is not None:
        calibration.prepare(source.net, gradients=criterion == "taylor")
    pruner = Pruner(source.net, criterion, multiple, keep)
    if amount.macs is not None:
        net, groups, threshold = pruner.cut_to(amount.macs, source.size)
    else:
        threshold = float(amount.threshold or 0.0)
        net, groups = pruner.cut(threshold)
    recall = None
    if calibration is not None:
        calibration.settle(net)
        recall = [calibration.recall(source.net), calibration.recall(net)]
    before, after = _cost(source.net.config, source.size), _cost(net.config, source.size)
    facts = {
        "source": str(source.path),
        "amount": str(amount),
        "criterion": criterion,
        "multiple": multiple,
        "keep": list(keep),
        "threshold": threshold,
        "network_pixels": source.network_pixels,
        "size": list(source.size),
        "before": before,
        "after": after,
        "calibration_recall": recall,
        "groups": [to_plain(group) for group in groups],
    }
    folder.path.mkdir(parents=True, exist_ok=True)
    save_checkpoint(folder.checkpoint, net.eval(), 0)
    _write_settings(folder, source, net.config)
    with whole_file(folder.report) as new:
        new.write_text(json.dumps(facts, indent=2) + "\n")
    return _table(groups, before, after, recall)


def _cost(config: MatcherConfig, size: tuple[int, int]) -> dict[str, int]:
    return {"parameters": network_parameters(config), "macs": network_macs(config, size)}


def _write_settings(folder: PrunedRun, source: Source, config: MatcherConfig) -> None:
    """What differs from the defaults of a training run when a pruned network goes on."""
    import yaml

    teacher = source.path.resolve() if source.path.exists() else source.path
    values = {
        "initialise": str(folder.checkpoint.resolve()),
        "network": to_plain(config),
        "learning_rate": 1e-3,
        "warmup": 100,
        "decay_share": 0.6,
        "ramp": 300,
        "distillation": {"teacher": str(teacher), "ground_truth_weight": 0.5, "temperature": 2.0},
    }
    with whole_file(folder.settings) as new:
        new.write_text(yaml.safe_dump(values, sort_keys=False, default_flow_style=None))


def _table(
    groups: Sequence[ChannelGroup],
    before: dict[str, int],
    after: dict[str, int],
    recall: list[float] | None,
) -> str:
    """What went, group by group and in all."""
    rows = [
        (", ".join(group.layers), str(group.channels), str(len(group.kept)),
         f"{len(group.kept) / group.channels:.0%}")
        for group in groups
    ]  # fmt: skip
    for name, unit, scale in (("parameters", "thousand", 1e3), ("macs", "million", 1e6)):
        ours, theirs = after[name] / scale, before[name] / scale
        rows.append((f"{name}, {unit}", f"{theirs:.0f}", f"{ours:.0f}", f"{ours / theirs:.0%}"))
    if recall is not None:
        shares = [f"{share:.1%}" for share in recall]
        rows.append(("recall of the calibration pairs", *shares, ""))
    return text_table(("channels made by", "before", "after", "left"), rows)
