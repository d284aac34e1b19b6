"""Two fleets beside each other, recording by recording."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from coarse_loftr_ros.fleet.folder import FleetFolder
from coarse_loftr_ros.fleet.manifest import Manifest, read_manifest
from coarse_loftr_ros.fleet.metrics import METRICS, Metric
from coarse_loftr_ros.fleet.settings import FleetError
from coarse_loftr_ros.fleet.sources import Recording
from coarse_loftr_ros.fleet.statistics import PairedDifference, paired_difference

__all__ = ["Change", "FleetComparison", "compare_fleets"]


@dataclass(frozen=True)
class Change:
    """A recording that became better or worse, or whose status changed.

    Attributes:
        recording: its name.
        settings: before and after.
        metric: title of the number; ``status`` where that changed.
        before: as text.
        after: as text.
        gain: how many of the metric's least differences better; negative where worse.
    """

    recording: str
    settings: str
    metric: str
    before: str
    after: str
    gain: float


@dataclass(frozen=True)
class FleetComparison:
    """Two fleets.

    Attributes:
        differences: in what settings and versions differ, in words.
        settings: pairs of settings that were compared, as text.
        overall: of each pair of settings the difference of each metric, by its title.
        changes: of single recordings, the largest first.
        only_before: recordings that the second fleet has not.
        only_after: recordings that the first fleet has not.
        other_content: recordings of one name whose content differs; they are not compared.
    """

    differences: str
    settings: tuple[str, ...]
    overall: tuple[tuple[str, str, PairedDifference], ...]
    changes: tuple[Change, ...]
    only_before: tuple[str, ...]
    only_after: tuple[str, ...]
    other_content: tuple[str, ...]


def compare_fleets(before: FleetFolder, after: FleetFolder) -> FleetComparison:
    """What became better or worse.

    Recordings are known by their addresses, or by their names where those differ. Settings of one
    name are compared; where the fleets have one setting each, these are, whatever their names.

    Raises:
        FleetError: when a folder has no fleet, or they have nothing in common.
    """
    first, second = read_manifest(before), read_manifest(after)
    pairs = _pairs(first, second)
    both = _in_both(first.recordings, second.recordings)
    if not both:
        raise FleetError(f"{before.root} and {after.root} have no recording in common")
    overall, changes, other = [], [], set()
    for ours, theirs in pairs:
        title = ours if ours == theirs else f"{ours} and {theirs}"
        values: dict[str, list[tuple[float, float]]] = {metric.title: [] for metric in METRICS}
        for name, before_name in both.items():
            results = before.result(before_name, ours), after.result(name, theirs)
            if None in results:
                continue
            if _differ_in_content(*results):
                other.add(name)
                continue
            changes += _changes(name, title, *results)
            for metric in METRICS:
                pair = tuple(metric.value(each) for each in results)
                if None not in pair:
                    values[metric.title].append(pair)
        for metric in METRICS:
            found = values[metric.title]
            difference = paired_difference(
                [a for a, _ in found], [b for _, b in found], metric.sign, metric.least
            )
            if difference is not None:
                overall.append((title, metric.title, difference))
    changes.sort(key=lambda change: -abs(change.gain))
    return FleetComparison(
        _difference(first, second, pairs),
        tuple(ours if ours == theirs else f"{ours} and {theirs}" for ours, theirs in pairs),
        tuple(overall),
        tuple(changes),
        tuple(sorted({each.name for each in first.recordings} - set(both.values()))),
        tuple(sorted({each.name for each in second.recordings} - both.keys())),
        tuple(sorted(other)),
    )


def _in_both(first: Sequence[Recording], second: Sequence[Recording]) -> dict[str, str]:
    """The name in the first fleet by that in the second, of recordings that both have.

    A name is longer where another recording is called alike, so it may differ between fleets.
    """
    by_address = {each.address: each.name for each in first}
    both = {each.name: by_address[each.address] for each in second if each.address in by_address}
    left = {each.name for each in first} - set(both.values())
    both |= {each.name: each.name for each in second if each.name in left - both.keys()}
    return both


def _difference(first: Manifest, second: Manifest, pairs: list[tuple[str, str]]) -> str:
    """In what settings that are compared, or versions, differ."""
    ours, theirs = (
        replace(fleet, settings=tuple(each for each in fleet.settings if each.name in names))
        for fleet, names in zip((first, second), zip(*pairs, strict=True), strict=True)
    )
    if pairs[0][0] != pairs[0][1]:
        theirs = replace(theirs, settings=(replace(theirs.settings[0], name=pairs[0][0]),))
    return ours.difference(theirs)


def _pairs(first: Manifest, second: Manifest) -> list[tuple[str, str]]:
    ours, theirs = ([each.name for each in fleet.settings] for fleet in (first, second))
    same = [(name, name) for name in ours if name in theirs]
    if not same and len(ours) == len(theirs) == 1:
        return [(ours[0], theirs[0])]
    if not same:
        raise FleetError(
            f"no settings of one name: {', '.join(ours)} there, {', '.join(theirs)} here"
        )
    return same


def _differ_in_content(first: Mapping[str, Any], second: Mapping[str, Any]) -> bool:
    prints = first.get("fingerprint"), second.get("fingerprint")
    return None not in prints and prints[0] != prints[1]


def _changes(
    name: str, settings: str, first: Mapping[str, Any], second: Mapping[str, Any]
) -> list[Change]:
    if first["status"] != second["status"]:
        gain = 1e9 if second["status"] == "done" else -1e9
        said = [f"{each['status']} {each['reason']}".strip() for each in (first, second)]
        return [Change(name, settings, "status", *said, gain)]
    found = []
    for metric in METRICS:
        before, after = metric.value(first), metric.value(second)
        if before is None or after is None:
            continue
        gain = metric.sign * (after - before) / metric.least
        if abs(gain) >= 1:
            texts = (_text(metric, before), _text(metric, after))
            found.append(Change(name, settings, metric.title, *texts, gain))
    return found


def _text(metric: Metric, value: float) -> str:
    return f"{value:.{metric.digits + 1}f}"
