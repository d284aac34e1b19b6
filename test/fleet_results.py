"""The results of a fleet."""

import json
from pathlib import Path


def results(folder: Path) -> dict[str, bytes]:
    """The bytes of all results by their paths, but for the times that they took."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted((folder / "recordings").rglob("*"))
        if path.is_file() and path.name != "timings.json"
    }


def result(folder: Path, recording: str, settings: str = "default") -> dict:
    return json.loads((folder / "recordings" / recording / settings / "result.json").read_text())
