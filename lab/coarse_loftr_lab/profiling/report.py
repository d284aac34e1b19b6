"""A profile as data for JSON, and as cells of tables."""

from __future__ import annotations

from typing import Any

from coarse_loftr_lab.profiling.design_rules import check_rules
from coarse_loftr_lab.profiling.results import GraphProfile, ModelProfile, Sum

__all__ = ["block_cells", "header", "layer_cells", "profile_json"]


def profile_json(profile: ModelProfile) -> dict[str, Any]:
    """Everything, in plain types; times are in milliseconds."""
    return {
        "model": profile.model,
        "sha256": profile.sha256,
        "size": [profile.size.width, profile.size.height],
        "precision": profile.precision,
        "runtimes": profile.runtimes,
        "runs": profile.runs,
        "graphs": [
            {
                "graph": one.graph,
                "total": {**_sum_json(one.total()), **_runs_json(one)},
                "blocks": [_sum_json(block) for block in one.blocks()],
                "layers": _layers_json(one),
                "broken_rules": [vars(breach) for breach in check_rules(one)],
            }
            for one in profile.graphs
        ],
    }


def _sum_json(one: Sum) -> dict[str, Any]:
    counts = {k: v for k, v in vars(one).items() if k not in ("ms", "besides_ms")}
    times = {f"{runtime}_ms": ms for runtime, ms in one.ms.items()}
    besides = {f"{runtime}_besides_ms": ms for runtime, ms in one.besides_ms.items()}
    return {**counts, **times, **besides}


def _runs_json(profile: GraphProfile) -> dict[str, float]:
    return {f"{one.runtime}_run_ms": one.run_ms for one in profile.runtimes}


def _layers_json(profile: GraphProfile) -> list[dict[str, Any]]:
    return [
        {
            "name": layer.name,
            "operator": layer.kind,
            "block": layer.block,
            "channels": list(layer.channels or ()),
            "groups": layer.groups,
            "parameters": layer.parameters,
            "macs": layer.macs,
            "read_bytes": layer.read_bytes,
            "written_bytes": layer.written_bytes,
            **{f"{one.runtime}_ms": one.layers.ms[place] for one in profile.runtimes},
        }
        for place, layer in enumerate(profile.layers)
        if layer.works or _measured(profile, place)
    ]


def _measured(profile: GraphProfile, place: int) -> bool:
    return any(one.layers.ms[place] for one in profile.runtimes)


def header(first: str, profile: GraphProfile) -> list[str]:
    """Names of the columns of both tables; a ``%`` is the share of the column before it."""
    names = [first, "depth", "parameters", "%", "M MACs", "%", "read MB", "written MB", "%"]
    return [*names, "MACs/byte", *(c for one in profile.runtimes for c in (one.runtime, "%"))]


def block_cells(profile: GraphProfile) -> list[list[str]]:
    """One row per block, those that take longest first, and their sum."""
    total = profile.total()
    rows = [
        _cells(block.name, str(block.depth or ""), vars(block), block.ms, total)
        for block in (*profile.blocks(), total)
    ]
    unknown = {one.runtime: one.layers.unknown_ms for one in profile.runtimes}
    if any(unknown.values()):
        nothing = dict.fromkeys(("parameters", "macs", "read_bytes", "written_bytes"), 0)
        rows.insert(-1, _cells("of the runtime's own", "", nothing, unknown, total))
    return rows


def layer_cells(profile: GraphProfile) -> list[list[str]]:
    """One row per layer that computes or takes time, in the order of the graph."""
    total = profile.total()
    rows = []
    for place, layer in enumerate(profile.layers):
        if layer.works or _measured(profile, place):
            channels = " {} to {}".format(*layer.channels) if layer.channels else ""
            name = f"{layer.name.lstrip('/')} ({layer.kind}{channels})"
            ms = {one.runtime: one.layers.ms[place] for one in profile.runtimes}
            rows.append(_cells(name, "1" if layer.product else "", vars(layer), ms, total))
    return rows


def _cells(
    name: str, depth: str, counts: dict[str, Any], ms: dict[str, float], total: Sum
) -> list[str]:
    traffic = counts["read_bytes"] + counts["written_bytes"]
    return [
        name,
        depth,
        f"{counts['parameters']}",
        _share(counts["parameters"], total.parameters),
        f"{counts['macs'] / 1e6:.2f}",
        _share(counts["macs"], total.macs),
        f"{counts['read_bytes'] / 1e6:.2f}",
        f"{counts['written_bytes'] / 1e6:.2f}",
        _share(traffic, total.traffic),
        f"{counts['macs'] / traffic:.1f}" if traffic else "-",
        *(
            cell
            for runtime, time in ms.items()
            for cell in (f"{time:.3f}", _share(time, total.ms[runtime]))
        ),
    ]


def _share(part: float, whole: float) -> str:
    return f"{100 * part / whole:.0f}" if whole else "-"
