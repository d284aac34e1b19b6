"""What an engine was made from and for, written beside it.

Run so far: with engines of TensorRT for RTX on machines without a GPU (tests).
"""

from __future__ import annotations

import hashlib
import json
import platform
import re
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from coarse_loftr_ros.backends.gpu import Gpu
from coarse_loftr_ros.backends.tensorrt.builder import BuiltEngine
from coarse_loftr_ros.backends.tensorrt.library import Library

__all__ = ["EngineIdentity", "Manifest", "ManifestError", "running_platform"]

_FORMAT = 1
_ANY_GPU = "any"


class ManifestError(ValueError):
    """A manifest that cannot be read, in words for the user."""


def running_platform() -> str:
    """Operating system and processor, such as ``linux-x86_64``: engines are tied to both."""
    return f"{platform.system()}-{platform.machine()}".lower()


@dataclass(frozen=True)
class EngineIdentity:
    """Everything on which it depends whether an engine may be used; all of it must be equal.

    Attributes:
        model: name of the model.
        graph: ``encode`` or ``match``.
        onnx_sha256: of the exported graph and of what was added to it.
        precision: ``fp32`` as exported, or the conversion that the graph went through.
        size: of the network image, such as ``448x320``.
        library: ``tensorrt`` or ``tensorrt_rtx``.
        library_version: in full.
        gpu: its name; ``any`` for an engine that runs on every GPU of the library.
        compute_capability: of the GPU; ``any`` likewise.
        platform: see ``running_platform``.
    """

    model: str
    graph: str
    onnx_sha256: str
    precision: str
    size: str
    library: str
    library_version: str
    gpu: str
    compute_capability: str
    platform: str

    @classmethod
    def here(
        cls,
        library: Library,
        gpu: Gpu | None,
        model: str,
        graph: str,
        onnx: bytes,
        precision: str,
        size: str,
    ) -> EngineIdentity:
        """The identity of an engine for this machine.

        Args:
            library: TensorRT.
            gpu: to run on; needed unless the library's engines are portable.
            model: name of the model.
            graph: ``encode`` or ``match``.
            onnx: the exported graph and what is added to it.
            precision: see the attribute.
            size: of the network image.
        """
        bound = None if library.portable else gpu
        return cls(
            model=model,
            graph=graph,
            onnx_sha256=hashlib.sha256(onnx).hexdigest(),
            precision=precision,
            size=size,
            library=library.name,
            library_version=library.version,
            gpu=bound.name if bound else _ANY_GPU,
            compute_capability=bound.compute_capability if bound else _ANY_GPU,
            platform=running_platform(),
        )

    def moved_to(self, library: Library, gpu: Gpu | None) -> EngineIdentity:
        """What this would be if it were built here."""
        here = EngineIdentity.here(library, gpu, "", "", b"", "", "")
        place = ("library", "library_version", "gpu", "compute_capability", "platform")
        return replace(self, **{name: getattr(here, name) for name in place})

    @property
    def file_stem(self) -> str:
        """Name of the engine's files, safe in any folder.

        The library's version is not part of it: after an upgrade the new engine takes the place
        of the old one. Everything else lives side by side.
        """
        values = asdict(self)
        del values["library_version"]
        digest = hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:12]
        name = re.sub(r"[^A-Za-z0-9_-]", "_", self.model)[:40]
        return f"{name}-{self.graph}-{self.size}-{self.precision}-{digest}"

    def difference(self, wanted: EngineIdentity) -> str | None:
        """The first thing in which this is not what is wanted, ``None`` when it is."""
        for field in fields(self):
            mine, theirs = getattr(self, field.name), getattr(wanted, field.name)
            if mine != theirs:
                return f"{field.name} is {mine}, not {theirs}"
        return None


@dataclass(frozen=True)
class Manifest:
    """The file beside an engine.

    Attributes:
        identity: what the engine was made from and for.
        shapes: of its inputs and outputs by name.
        engine_bytes: size of the engine.
        engine_sha256: of the engine.
        build_seconds: that building took.
    """

    identity: EngineIdentity
    shapes: dict[str, tuple[int, ...]]
    engine_bytes: int
    engine_sha256: str
    build_seconds: float

    @classmethod
    def of(cls, identity: EngineIdentity, engine: BuiltEngine) -> Manifest:
        """The manifest of a new engine."""
        digest = hashlib.sha256(engine.data).hexdigest()
        seconds = round(engine.seconds, 2)
        return cls(identity, engine.shapes, len(engine.data), digest, seconds)

    def to_json(self) -> str:
        """As written beside the engine."""
        return json.dumps({"format": _FORMAT, **asdict(self)}, indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str | bytes) -> Manifest:
        """The inverse of ``to_json``.

        Raises:
            ManifestError: when anything is missing, of another type or of another format.
        """
        try:
            values = json.loads(text)
            if values["format"] != _FORMAT:
                raise ManifestError(f"its format is {values['format']}, not {_FORMAT}")
            manifest = cls(
                identity=EngineIdentity(**_of_type(str, values["identity"])),
                shapes={
                    str(name): tuple(int(side) for side in shape)
                    for name, shape in values["shapes"].items()
                },
                engine_bytes=int(values["engine_bytes"]),
                engine_sha256=str(values["engine_sha256"]),
                build_seconds=float(values["build_seconds"]),
            )
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            if isinstance(error, ManifestError):
                raise
            raise ManifestError(f"it cannot be read: {error!r}") from error
        return manifest

    def check(self, data: bytes) -> None:
        """Refuse an engine that is not the one this was written for.

        Raises:
            ManifestError: naming what differs.
        """
        if len(data) != self.engine_bytes:
            raise ManifestError(
                f"the engine has {len(data)} bytes, its manifest says {self.engine_bytes}"
            )
        if hashlib.sha256(data).hexdigest() != self.engine_sha256:
            raise ManifestError("the engine's sha256 is not the one in its manifest")


def _of_type(kind: type, values: dict[str, Any]) -> dict[str, Any]:
    """The dictionary itself, when all of its values are of one type."""
    for name, value in values.items():
        if not isinstance(value, kind):
            raise ManifestError(f"{name} is {value!r}, not a {kind.__name__}")
    return values
