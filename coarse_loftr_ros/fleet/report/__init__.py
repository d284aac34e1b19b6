"""The report of a fleet: one page that needs nothing else."""
