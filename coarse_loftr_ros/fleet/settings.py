"""What is done with each recording of a fleet: a model, thresholds, an odometry."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

__all__ = ["FleetError", "Settings", "read_settings"]


class FleetError(ValueError):
    """Something about a fleet that its user can put right, in one sentence."""


_CHOICES = {
    "mode": ("auto", "stereo", "mono", "planar", "none"),
    "pairing": ("consecutive", "keyframe"),
    "rectify": ("auto", "always", "never"),
}
_RANGES = {
    "threads": (1, 256),
    "network_pixels": (0, 2048 * 2048),
    "threshold": (0, 1),
    "max_matches": (1, 100_000),
    "search_views": (0, 11),
    "second_pass": (0, 10),
    "row_tolerance": (0, 100),
    "tolerance_ms": (0, 1e6),
    "rate": (1e-3, 10_000),
    "window": (0, 10),
    "camera_height": (1e-3, 1e6),
    "altitude": (1e-3, 1e6),
}


@dataclass(frozen=True)
class Settings:
    """One way to treat a recording; the names are those of the options of replay and odometry.

    Attributes:
        name: of these settings in the results; the stem of their file.
        model: a model of the package (``fast``) or the folder of an exported one.
        backend: runtime of the network, or ``auto``.
        precision: ``auto``, ``fp32``, ``fp16`` or ``int8``.
        threads: CPU threads of the runtime, which are the CPUs that a worker is given. Other
            numbers may give other last digits, so this is no choice of the machine.
        network_pixels: of the network's image; 0 for what the model was made for.
        threshold: least confidence of a match.
        max_matches: per pair.
        search_views: viewpoints tried for a pair that does not match.
        second_pass: change of view from which a pair is matched a second time.
        pairing: what each image is matched with, ``consecutive`` or ``keyframe``.
        topic: of the images of bags with one camera; empty for the only one there is, or for left
            and right by their names.
        left: topic or sub-folder of the left camera.
        right: likewise.
        tolerance_ms: largest difference of the stamps of a pair.
        rate: images per second of folders and videos without times.
        rectify: ``always``, ``never``, or ``auto``: images that are known to be raw (EuRoC).
        row_tolerance: rectified stereo matches whose rows differ by more are rejected, px.
        mode: of the odometry: ``stereo``, ``mono``, ``planar``, ``none``, or ``auto``: stereo of
            two cameras, else mono.
        window: stereo images that are adjusted together.
        camera_height: metres above the ground, mono.
        altitude: metres above the plane at the first image, planar.
        truth: file of the true path, with ``{folder}`` and ``{stem}`` of the recording in it; empty
            for that of the folder's layout, or ``{stem}.tum`` beside a bag or a video.
        truth_topic: of bags, with poses of the robot's base; where there is one.
        mounting: x, y, z (m), roll, pitch, yaw (rad) of the camera's body on that base.
    """

    name: str = "default"
    model: str = "fast"
    backend: str = "auto"
    precision: str = "auto"
    threads: int = 1
    network_pixels: int = 0
    threshold: float = 0.5
    max_matches: int = 1000
    search_views: int = 2
    second_pass: float = 0.1
    pairing: str = "consecutive"
    topic: str = ""
    left: str = ""
    right: str = ""
    tolerance_ms: float = 5.0
    rate: float = 30.0
    rectify: str = "auto"
    row_tolerance: float = 1.5
    mode: str = "auto"
    window: int = 0
    camera_height: float | None = None
    altitude: float | None = None
    truth: str = ""
    truth_topic: str = "/ground_truth/pose"
    mounting: tuple[float, ...] = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0)

    @classmethod
    def of(cls, values: Mapping[str, Any], where: str) -> Settings:
        """Settings of plain values, those that are not named being the defaults.

        Args:
            values: by name.
            where: they come from, for the user.

        Raises:
            FleetError: naming the value and what is allowed.
        """
        known = {field.name: field.default for field in fields(cls)}
        for name in values:
            if name not in known:
                raise FleetError(
                    f"{where}: there is no setting '{name}'; there are: {_list(known)}"
                )
        made = {name: _value(where, name, given, known[name]) for name, given in values.items()}
        settings = cls(**made)
        if bool(settings.left) != bool(settings.right) or (settings.left and settings.topic):
            raise FleetError(f"{where}: stereo needs both left and right, and no topic")
        return settings

    def values(self) -> dict[str, Any]:
        """Plain values, for a manifest."""
        return {**asdict(self), "mounting": list(self.mounting)}

    @property
    def digest(self) -> str:
        """Changes with any value but the name."""
        values = {name: value for name, value in self.values().items() if name != "name"}
        return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:20]


def read_settings(path: Path) -> Settings:
    """Settings of a YAML file with names and values.

    Raises:
        FleetError: when it cannot be read, or is not that.
    """
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        text = path.read_text("utf-8")
    except OSError as error:
        raise FleetError(f"settings {path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise FleetError(f"settings {path} cannot be read: {error}") from error
    try:
        values = YAML(typ="safe", pure=True).load(text)
    except YAMLError as error:
        raise FleetError(f"settings {path} are no YAML: {' '.join(str(error).split())}") from error
    values = {} if values is None else values
    if not isinstance(values, dict) or not all(isinstance(name, str) for name in values):
        raise FleetError(f"settings {path} must be lines of 'name: value'")
    return Settings.of({"name": path.stem, **values}, str(path))


def _value(where: str, name: str, given: Any, default: Any) -> Any:
    """A value of the type of its default.

    Raises:
        FleetError: when it has another one, or is not allowed.
    """
    if name == "mounting":
        numbers = given if isinstance(given, (list, tuple)) else ()
        if len(numbers) != 6 or not all(_is_number(each) for each in numbers):
            raise FleetError(f"{where}: mounting is {given}; it must be a list of six numbers")
        return tuple(float(each) for each in numbers)
    if isinstance(default, str):
        if not isinstance(given, str):
            raise FleetError(f"{where}: {name} is {given}; it must be text")
        allowed = _CHOICES.get(name)
        if allowed and given not in allowed:
            raise FleetError(f"{where}: {name} is '{given}'; it must be one of {_list(allowed)}")
        if name == "name" and not re.fullmatch(r"\w[\w.-]{0,99}", given):
            raise FleetError(
                f"{where}: name is '{given}'; it has letters, digits, '_', '-' and '.', at most "
                "100, and does not begin with '-' or '.'"
            )
        return given
    if given is None and default is None:
        return None
    least, most = _RANGES[name]
    whole = isinstance(default, int)
    if not _is_number(given) or not least <= given <= most or (whole and given != int(given)):
        kind = "a whole number" if whole else "a number"
        raise FleetError(f"{where}: {name} is {given}; it must be {kind} of {least:g} to {most:g}")
    return int(given) if whole else float(given)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _list(names: Any) -> str:
    return ", ".join(names)
