"""``coarse-loftr demo``: the node on a recording that it makes itself."""
