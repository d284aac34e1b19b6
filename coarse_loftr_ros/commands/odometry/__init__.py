"""``coarse-loftr odometry``: from a recording to a path."""
