"""``coarse-loftr replay``: from a recording to what the nodes would publish."""
