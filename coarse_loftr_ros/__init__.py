"""Detector-free image matching for ROS 2: matches camera frames and publishes correspondences."""

import os

__version__ = "0.1.0"

# OpenCV takes memory for as many pixels as the header of an image claims, up to 2**30 of its own.
# It reads this when it is loaded; a file of some bytes then costs at most that of 16384x16384.
os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", str(2**28))
