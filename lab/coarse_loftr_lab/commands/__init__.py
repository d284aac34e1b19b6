"""The commands of the lab, which ``coarse-loftr`` offers where this package is installed."""
