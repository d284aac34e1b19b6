"""Recordings of any kind as stamped frames with a camera each, without ROS."""
