"""Correspondences of unlabelled sequences that a teacher finds again and again, for training."""
