"""The node ``matcher``: images in, correspondences and homographies out."""
