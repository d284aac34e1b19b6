"""Runtimes that execute the network, one file each behind one small protocol."""
