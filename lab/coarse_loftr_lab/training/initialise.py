"""Starting from the weights of another network."""

from __future__ import annotations

from pathlib import Path

from torch import nn

from coarse_loftr_lab.network.restore import open_network

__all__ = ["initialise"]


def initialise(net: nn.Module, source: Path) -> str:
    """Take another network's weights where names and shapes agree.

    A deeper network takes all of a shallower one's: what is new in it, residual blocks and
    attention layers, starts as the identity.

    Args:
        net: changed in place.
        source: what ``open_network`` takes: a checkpoint, or an exported model.

    Returns:
        A sentence that says what was taken and what was not.

    Raises:
        FileNotFoundError: when there is no such file.
        ValueError: when it holds no network, or nothing agrees.
    """
    theirs, ours = open_network(source).state_dict(), net.state_dict()
    taken = {
        name: value
        for name, value in theirs.items()
        if name in ours and value.shape == ours[name].shape
    }
    if not taken:
        raise ValueError(f"initialise: no weight of {source} has a name and shape of this network")
    net.load_state_dict(taken, strict=False)
    new = _groups(ours.keys() - taken.keys())
    unused = _groups(theirs.keys() - taken.keys())
    sentence = f"{len(taken)} of {len(ours)} tensors taken from {source}"
    sentence += f"; new here: {', '.join(new)}" if new else "; nothing is new"
    return sentence + (f"; not taken: {', '.join(unused)}" if unused else "")


def _groups(names: set[str]) -> list[str]:
    """The modules that tensors belong to, each once."""
    return sorted({name.rpartition(".")[0] or name for name in names})
