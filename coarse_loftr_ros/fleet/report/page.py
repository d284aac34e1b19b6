"""x."""


def write_report(folder, manifest):
    """X."""
