"""``coarse-loftr live``: images of a camera matched as they come."""
