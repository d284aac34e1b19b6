"""A pipeline in a process of its own, of whichever revision of the package is first on the path.

This file is run as a program by ``revisions`` and imports nothing but what every revision has, by
the names that any of them gave it. On standard input come a line of JSON with the settings, then
frames, each ``width * height`` bytes. On standard output goes an empty line when all is loaded,
then a line of JSON for each frame: milliseconds per stage and ``total``.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
from typing import Any

# Where the names are, newest first.
_PLACES = {
    "Frame": ("images.frame", "frame"),
    "Consecutive": ("matching.reference_policy", "matching.pairing", "pairing"),
    "ModelFiles": ("backends.base",),
    "MatchSettings": ("matching.frame_matching", "matching.pipeline", "pipeline"),
    "Pipeline": ("matching.pipeline", "pipeline"),
    "PipelineSettings": ("matching.pipeline", "pipeline"),
}


def _find(name: str) -> Any:
    for place in _PLACES[name]:
        try:
            return getattr(importlib.import_module(f"coarse_loftr_ros.{place}"), name)
        except (ModuleNotFoundError, AttributeError):
            continue
    raise ImportError(f"this revision has no {name} in any of {', '.join(_PLACES[name])}")


def main() -> None:
    """Answer until the input ends."""
    # An editable installation would lend its modules to a revision that has none of that name.
    sys.meta_path[:] = [
        finder
        for finder in sys.meta_path
        if not getattr(finder, "__module__", "").startswith("__editable__")
    ]
    # What a library prints goes elsewhere.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    settings = json.loads(sys.stdin.buffer.readline())
    import cv2
    import numpy as np

    width, height = settings.pop("size")
    if settings["threads"]:
        cv2.setNumThreads(settings["threads"])
    settings["model"] = _find("ModelFiles").load(settings["model"])
    frame = _find("Frame")
    pipeline = _find("Pipeline")(
        _find("PipelineSettings")(**settings),
        _find("MatchSettings")(),
        _find("Consecutive")(),
        (width, height),
    )
    print(file=answers, flush=True)
    count = 0
    while len(data := sys.stdin.buffer.read(width * height)) == width * height:
        count += 1
        image = np.frombuffer(data, np.uint8).reshape(height, width)
        start = time.perf_counter()
        result = pipeline.process(frame(image, stamp=count))
        total = (time.perf_counter() - start) * 1e3
        stages = dict(result.timings_ms) if result else {}
        print(json.dumps({**stages, "total": total}), file=answers, flush=True)


if __name__ == "__main__":
    main()
