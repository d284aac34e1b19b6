"""Evaluation data: layouts on disk, generated pairs, the held-out split."""
