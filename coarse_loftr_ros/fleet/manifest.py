"""What a fleet is: recordings, settings, versions. Results of another one are not continued."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from coarse_loftr_ros import __version__
from coarse_loftr_ros.backends.base import BackendError, ModelFiles
from coarse_loftr_ros.fleet.folder import FleetFolder
from coarse_loftr_ros.fleet.settings import FleetError, Settings
from coarse_loftr_ros.fleet.sources import Recording

__all__ = ["Manifest", "difference", "environment", "read_manifest"]

_PACKAGES = (
    "numpy", "opencv-python-headless", "opencv-python", "openvino", "onnxruntime", "ncnn",
    "onnxruntime-gpu", "tensorrt", "tensorrt-rtx-cu13-libs", "pyarrow", "rosbags", "evo",
)  # fmt: skip


@dataclass(frozen=True)
class Manifest:
    """A fleet.

    Attributes:
        recordings: each with a name of its own.
        settings: each with a name of its own; every recording is treated with all of them.
        matches: whether every match is written.
        bag: whether a bag is written.
        environment: versions of what decides the results.
        models: digest of the files of each model.
    """

    recordings: tuple[Recording, ...]
    settings: tuple[Settings, ...]
    matches: bool
    bag: bool
    environment: dict[str, str]
    models: dict[str, str]

    @classmethod
    def of(
        cls, recordings: Sequence[Recording], settings: Sequence[Settings], matches: bool, bag: bool
    ) -> Manifest:
        """That of here and now.

        Raises:
            FleetError: when two settings have one name, or a model cannot be used.
        """
        names = [each.name for each in settings]
        for name in names:
            if names.count(name) > 1:
                raise FleetError(f"two settings are named '{name}': give one another name in it")
        try:
            models = {each.model: _digest(ModelFiles.load(each.model)) for each in settings}
        except (BackendError, ValueError, OSError) as error:
            raise FleetError(str(error)) from error
        return cls(tuple(recordings), tuple(settings), matches, bag, environment(), models)

    def write(self, folder: FleetFolder) -> None:
        """Write it whole.

        Raises:
            OSError: when it cannot be written.
        """
        folder.write_json(
            folder.manifest,
            {
                "environment": self.environment,
                "models": self.models,
                "outputs": {"matches": self.matches, "bag": self.bag},
                "settings": [{"digest": s.digest, "values": s.values()} for s in self.settings],
                "recordings": [{"name": r.name, "source": r.address} for r in self.recordings],
            },
        )

    def difference(self, other: Manifest) -> str:
        """In what another manifest's results would differ from this one's; empty when in nothing.

        Recordings are no difference: those of both have the same results.
        """
        ours = {each.name: each for each in self.settings}
        theirs = {each.name: each for each in other.settings}
        if ours.keys() != theirs.keys():
            return f"its settings are {', '.join(ours)}, and these are {', '.join(theirs)}"
        for name in ours:
            before, after = ours[name].values(), theirs[name].values()
            for key, value in before.items():
                if after[key] != value:
                    return f"{key} of settings '{name}' was {value} and is {after[key]}"
        for name in ("matches", "bag"):
            if getattr(self, name) != getattr(other, name):
                return f"the output '{name}' was {getattr(self, name)}"
        changed = difference(self.environment, other.environment)
        if changed:
            return changed
        for model, digest in self.models.items():
            if other.models.get(model, digest) != digest:
                return f"the files of model {model} have changed"
        return ""


def read_manifest(folder: FleetFolder) -> Manifest:
    """The manifest of results.

    Raises:
        FleetError: when there is none, or it is damaged.
    """
    try:
        values = json.loads(folder.manifest.read_text("utf-8"))
        settings = [Settings.of(s["values"], "manifest") for s in values["settings"]]
        return Manifest(
            tuple(Recording(r["name"], r["source"]) for r in values["recordings"]),
            tuple(settings),
            values["outputs"]["matches"],
            values["outputs"]["bag"],
            values["environment"],
            values["models"],
        )
    except FileNotFoundError as error:
        raise FleetError(
            f"{folder.root} has no results of a fleet ({folder.manifest.name})"
        ) from error
    except OSError as error:
        raise FleetError(f"{folder.manifest} cannot be read: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise FleetError(f"{folder.manifest} is damaged: {error}") from error


def _digest(model: ModelFiles) -> str:
    """Changes with what ``model.json`` says: digests of the graphs, and the calibration."""
    described = model.encode.with_name("model.json").read_bytes()
    return hashlib.sha256(described).hexdigest()[:20]


def environment() -> dict[str, str]:
    """Versions of this package and of those that decide its results."""
    found = {"coarse_loftr_ros": __version__}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def difference(before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
    """The first version that differs, in words; empty when none does."""
    for name in sorted(before.keys() | after.keys()):
        if before.get(name) != after.get(name):
            return f"{name} was {before.get(name, 'absent')} and is {after.get(name, 'absent')}"
    return ""
