"""Trajectories: the path of a camera, its files, its errors, and how it comes of a recording."""
