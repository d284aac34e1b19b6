"""Inference runtimes, one file each, behind one small protocol."""
