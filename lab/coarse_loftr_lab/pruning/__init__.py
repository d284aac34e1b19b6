"""Fewer channels in a trained network; needs the ``prune`` extra."""
