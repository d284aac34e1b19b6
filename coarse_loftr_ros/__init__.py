"""Detector-free image matching for ROS 2: matches camera frames and publishes correspondences."""

__version__ = "0.1.0"
