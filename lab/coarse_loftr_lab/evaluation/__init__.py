"""Measuring: metrics, data layouts, baselines."""
