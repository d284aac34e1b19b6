"""A profile as bars; matplotlib is imported only to draw."""

from __future__ import annotations

from pathlib import Path

from coarse_loftr_lab.profiling.results import GraphProfile, ModelProfile
from coarse_loftr_ros.files.panels import make_panels

__all__ = ["draw_profile"]

_COLOURS = ("#999999", "#56B4E9", "#0072B2", "#D55E00")  # of Okabe and Ito (2008)


def draw_profile(path: Path, profile: ModelProfile) -> None:
    """Draw, for each block of both graphs, its share of multiplications, bytes and time.

    Args:
        path: of the picture; its ending chooses the format.
        profile: of a model.

    Raises:
        ModuleNotFoundError: when matplotlib is not installed.
        OSError: when the picture cannot be written.
    """
    most = max(len(one.blocks()) for one in profile.graphs)
    figure, panels = make_panels(1, len(profile.graphs), 5.4, 1.2 + 0.42 * most)
    for panel, one in zip(panels, profile.graphs, strict=True):
        bars = _bars(one)
        blocks = one.blocks()
        height = 0.8 / len(bars)
        for index, (label, shares) in enumerate(bars.items()):
            places = [k + (index - (len(bars) - 1) / 2) * height for k in range(len(blocks))]
            panel.barh(places, shares, height, color=_COLOURS[index], label=label)
        panel.set_yticks(range(len(blocks)), [block.name for block in blocks], fontsize=9)
        panel.set_ylim(most - 0.5, -0.5)  # bars of both graphs are as thick
        panel.set(xlabel="share of the graph, %", title=one.graph)
    figure.suptitle(f"{profile.model}, {profile.size}, {profile.precision}")
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4, frameon=False, fontsize=9)
    figure.savefig(path, dpi=150)


def _bars(profile: GraphProfile) -> dict[str, list[float]]:
    """Percentages by block, of what is shown."""
    total, blocks = profile.total(), profile.blocks()
    bars = {
        "multiplications": [100 * block.macs / total.macs for block in blocks],
        "bytes": [100 * block.traffic / total.traffic for block in blocks],
    }
    for runtime, ms in total.ms.items():
        bars[f"time, {runtime}"] = [100 * block.ms[runtime] / ms for block in blocks]
    return bars
