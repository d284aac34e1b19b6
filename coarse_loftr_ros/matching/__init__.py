"""Matching: two frames in, correspondences and a homography out."""
