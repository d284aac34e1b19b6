"""Cameras: what camera_info says, rectification, and rigid motions."""
