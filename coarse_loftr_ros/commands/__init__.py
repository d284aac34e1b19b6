"""The command line `coarse-loftr`, one file per command."""
