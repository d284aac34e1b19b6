"""Steps of training in one revision, for ``training_step.py --against``.

Reads a line of settings, then one line for each step that shall be made, and answers each with the
seconds of processor time of its parts. Runs with what every revision since 0e291b6 has.
"""

from __future__ import annotations

import json
import sys
import time
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory


def main(tree: Path) -> None:
    """Make steps with the packages of a checkout."""
    # Beside the checkout an installed package may lie on the path.
    package = "coarse_loftr_lab" if (tree / "lab").is_dir() else "coarse_loftr_ros"
    sys.path[:0] = [str(tree / "lab"), str(tree)]
    parts = "distributed", "settings", "trainer", "views"
    distributed, settings, trainer, views = (
        import_module(f"{package}.training.{part}") for part in parts
    )
    answers, sys.stdout = sys.stdout, sys.stderr
    values = json.loads(sys.stdin.readline())
    with TemporaryDirectory() as folder, distributed.joined("cpu") as processes:
        run = settings.make_settings(values, Path(folder) / "run")
        training = trainer.Trainer(run, processes)
        drawn = iter(training.stream._loader)
        for _ in sys.stdin:
            start = time.process_time()
            recipes = next(drawn).recipes
            drew = time.process_time()
            pairs = views.render_pairs(recipes, (run.width, run.height))
            rendered = time.process_time()
            training.advance([pairs])
            spent = drew - start, rendered - drew, time.process_time() - rendered
            print(json.dumps(spent), file=answers, flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
