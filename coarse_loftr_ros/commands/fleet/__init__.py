"""``coarse-loftr fleet``: many recordings at once."""
