"""This process and its system: signals and memory."""
