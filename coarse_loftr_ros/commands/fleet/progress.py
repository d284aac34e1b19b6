"""How far a fleet is, for people and for machines."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

from tqdm import tqdm

from coarse_loftr_ros.commands.common.table import two_columns
from coarse_loftr_ros.fleet.running import Progress
from coarse_loftr_ros.fleet.worker import DONE, Outcome, Task

__all__ = ["JsonLines", "Lines"]

_EVERY_S = 30.0


class Lines:
    """A bar on a terminal, elsewhere a line now and then; failures as they come; a table.

    Args:
        root: of the results.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._out = sys.stdout  # while Ray's own words go elsewhere
        self._bar: Any = None
        self._said = time.monotonic()

    def show(self, progress: Progress, task: Task | None, outcome: Outcome | None) -> None:
        """Show how far it is."""
        if task is None or outcome is None:
            self._bar = tqdm(
                total=progress.total,
                initial=progress.before,
                unit="rec",
                desc="fleet",
                disable=None,
            )
            return
        if outcome.status != DONE:
            tqdm.write(f"{task.name}: {outcome.status}: {outcome.reason}", file=sys.stderr)
        rate = f"{progress.images_per_second:.1f} img/s"
        failed = progress.failed + progress.unusable
        self._bar.set_postfix_str(f"{failed} failed, {rate}")
        self._bar.update()
        now = time.monotonic()
        if self._bar.disable and now - self._said > _EVERY_S:
            self._said = now
            done = progress.before + progress.done
            print(
                f"{done} of {progress.total} done, {failed} failed, {rate}, "
                f"{_duration(progress.eta_s)} left",
                file=sys.stderr,
            )

    def end(self, progress: Progress) -> None:
        """Show what came of it."""
        self.close()
        print(_table(progress, self._root), file=self._out)

    def close(self) -> None:
        """Leave the line of the bar, also when the fleet was interrupted."""
        if self._bar is not None:
            self._bar.close()


class JsonLines:
    """A line of JSON per event.

    Args:
        root: of the results.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._out = sys.stdout  # while Ray's own words go elsewhere

    def show(self, progress: Progress, task: Task | None, outcome: Outcome | None) -> None:
        """Say what happened."""
        if task is None or outcome is None:
            self._say("start", progress)
            return
        self._say(
            "recording",
            progress,
            recording=task.recording.name,
            settings=task.settings.name,
            status=outcome.status,
            reason=outcome.reason,
            recording_images=outcome.images,
            recording_s=round(outcome.seconds, 3),
        )

    def end(self, progress: Progress) -> None:
        """Say what came of it."""
        self._say(
            "end",
            progress,
            stages={name: round(value, 3) for name, value in progress.stages.items()},
            work_s=round(progress.work_s, 3),
            bytes_read=progress.bytes_read,
            bytes_written=progress.bytes_written,
            output=str(self._root),
        )

    def close(self) -> None:
        """Lines are whole already."""

    def _say(self, event: str, progress: Progress, **more: Any) -> None:
        eta = progress.eta_s
        values = {
            "event": event,
            "total": progress.total,
            "done": progress.before + progress.done,
            "failed": progress.failed,
            "unusable": progress.unusable,
            "images": progress.images,
            "images_per_second": round(progress.images_per_second, 2),
            "seconds": round(progress.seconds, 3),
            "eta_s": None if eta is None else round(eta, 1),
        }
        print(json.dumps({**values, **more}), file=self._out, flush=True)


def _table(progress: Progress, root: Path) -> str:
    rows = [
        ("recordings x settings", str(progress.total)),
        ("done before", str(progress.before)),
        ("done now", str(progress.done)),
        ("cannot be used", str(progress.unusable)),
        ("failed", str(progress.failed)),
        ("images", str(progress.images)),
        ("images per second", f"{progress.images_per_second:.1f}"),
        ("time", _duration(progress.seconds)),
    ]
    whole = progress.stages.get("all", 0.0)
    if whole:
        rows += [
            (f"{stage}, share", f"{100 * seconds / whole:.0f} %")
            for stage, seconds in sorted(progress.stages.items(), key=lambda item: -item[1])
            if stage != "all"
        ]
    rows += [
        ("read", f"{progress.bytes_read / 1e6:.1f} MB"),
        ("written", f"{progress.bytes_written / 1e6:.1f} MB"),
    ]
    return two_columns(rows, str(root))


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return "unknown time"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {rest:02d} s"
