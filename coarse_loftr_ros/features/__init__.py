"""Matchers of two images other than the network: OpenCV's ORB and SIFT."""
