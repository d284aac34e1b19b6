"""Reads the file that describes a detector, and says what is wrong with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from coarse_loftr_ros.detection.coco import COCO, MOVING
from coarse_loftr_ros.detection.description import (
    BOX_COLUMNS,
    UNITS,
    Boxes,
    Description,
    DetectorError,
    Head,
    Heads,
    Rows,
)

__all__ = ["load_description"]

_KINDS = ("heads", "rows", "boxes")


def load_description(path: Path | str) -> Description:
    """Read a description; paths in it are relative to it.

    Raises:
        DetectorError: naming the file, what is wrong and what is allowed.
    """
    from ruamel.yaml import YAML, YAMLError  # which rosbags needs, too

    file = Path(path).expanduser()
    try:
        content = YAML(typ="safe", pure=True).load(file.read_text())
    except OSError as error:
        raise DetectorError(f"detector {file} cannot be read: {error.strerror}") from error
    except (YAMLError, ValueError, RecursionError) as error:
        reason = " ".join(str(error).split())
        raise DetectorError(f"detector {file} is not YAML: {reason}") from error
    return _Reader(file, content).description()


class _Reader:
    """Takes a file's content apart."""

    def __init__(self, file: Path, content: object) -> None:
        self._file = file
        self._content = self._mapping("the file", content)

    def description(self) -> Description:
        known = {"model", "size", "multiple", "mean", "scale", "padding", "input", "classes"}
        self._no_others("the file", self._content, known | {"moving", *_KINDS})
        model = self._file.parent / Path(self._text("model")).expanduser()
        if model.suffix not in (".onnx", ".param"):
            raise self._error(f"model is '{model.name}'; allowed are .onnx, and .param of ncnn")
        for needed in (model, model.with_suffix(".bin")) if model.suffix == ".param" else (model,):
            if not needed.is_file():
                raise self._error(f"its model {needed} is not there")
        width, height = self._numbers("size", 2, 32, 4096)
        mean = self._list("mean", [0.0, 0.0, 0.0])
        scale = self._list("scale", [1.0] * len(mean))
        if len(mean) not in (1, 3) or len(scale) != len(mean):
            raise self._error(
                f"mean has {len(mean)} values and scale {len(scale)}; each has one for each channel"
                ", 1 or 3"
            )
        classes = self._classes()
        moving = self._names("moving", [name for name in MOVING if name in classes] or classes)
        for name in moving:
            if name not in classes:
                raise self._error(f"moving names '{name}', which is not among its classes")
        return Description(
            file=self._file,
            model=model,
            width=width,
            height=height,
            multiple=self._number("multiple", self._content.get("multiple", 0), 0, 128),
            mean=mean,
            scale=scale,
            padding=self._number("padding", self._content.get("padding", 0), 0, 255),
            input=self._text("input", ""),
            classes=classes,
            moving=moving,
            layout=self._layout(),
        )

    def _layout(self) -> Heads | Rows | Boxes:
        kinds = [kind for kind in _KINDS if kind in self._content]
        if len(kinds) != 1:
            raise self._error(
                f"it describes {' and '.join(kinds) or 'no'} outputs; one of {', '.join(_KINDS)} "
                "must be there"
            )
        (kind,) = kinds
        if kind == "heads":
            return self._heads(self._content["heads"])
        fields = self._mapping(kind, self._content[kind])
        names = {"rows": ("output", "columns"), "boxes": ("boxes", "scores", "labels")}[kind]
        self._no_others(kind, fields, {*names, "units"})
        units = str(fields.get("units", "pixels"))
        if units not in UNITS:
            raise self._error(f"units of {kind} are '{units}'; allowed are {', '.join(UNITS)}")
        if kind == "boxes":
            return Boxes(*(self._text(name, within=fields) for name in names), units)
        columns = tuple(str(each) for each in _listed(fields.get("columns") or []))
        scored = [{*columns[4:]} == need for need in ({"score", "class"}, {"scores"})]
        scored.append({*columns[4:]} == {"objectness", "scores"})
        if columns[:4] not in BOX_COLUMNS or not any(scored):
            raise self._error(
                f"columns of rows are {', '.join(columns) or 'not said'}; allowed are "
                f"{' or '.join(', '.join(each) for each in BOX_COLUMNS)}, then scores, or "
                "objectness and scores, or score and class"
            )
        return Rows(self._text("output", within=fields), columns, units)

    def _heads(self, content: object) -> Heads:
        if not content:
            raise self._error("heads are none; one for each stride must be there")
        heads = []
        for each in _listed(content):
            fields = self._mapping("a head", each)
            self._no_others("a head", fields, {"stride", "scores", "distances"})
            stride = self._number("stride", fields.get("stride"), 1, 256)
            outputs = (self._text(name, within=fields) for name in ("scores", "distances"))
            heads.append(Head(stride, *outputs))
        return Heads(tuple(heads))

    def _classes(self) -> tuple[str, ...]:
        return COCO if self._content.get("classes") == "coco" else self._names("classes")

    # --- single values --------------------------------------------------------------------------

    def _error(self, sentence: str) -> DetectorError:
        return DetectorError(f"detector {self._file}: {sentence}")

    def _mapping(self, what: str, content: object) -> Mapping[str, object]:
        if not isinstance(content, Mapping):
            raise self._error(f"{what} holds {content!r}; it must hold names with values")
        return content

    def _no_others(self, what: str, found: Mapping[str, object], known: set[str]) -> None:
        for name in found:
            if name not in known:
                raise self._error(
                    f"{what} has '{name}', which is unknown; known are {', '.join(sorted(known))}"
                )

    def _text(
        self, name: str, default: str | None = None, within: Mapping[str, object] | None = None
    ) -> str:
        value = (self._content if within is None else within).get(name, default)
        if value is None or isinstance(value, list | dict):
            raise self._error(f"{name} is {value!r}; it must be a name")
        return str(value)

    def _number(self, name: str, value: object, low: int, high: int) -> int:
        if type(value) is not int or not low <= value <= high:
            raise self._error(f"{name} is {value!r}; it must be a whole number, {low} to {high}")
        return value

    def _numbers(self, name: str, count: int, low: int, high: int) -> tuple[int, ...]:
        values = self._content.get(name)
        if not isinstance(values, list) or len(values) != count:
            raise self._error(f"{name} is {values!r}; it must be a list of {count} numbers")
        return tuple(self._number(name, value, low, high) for value in values)

    def _list(self, name: str, default: list[float]) -> tuple[float, ...]:
        values = self._content.get(name, default)
        numbers = isinstance(values, list) and all(type(each) in (int, float) for each in values)
        if not numbers:
            raise self._error(f"{name} is {values!r}; it must be a list of numbers")
        return tuple(float(each) for each in values)

    def _names(self, name: str, default: Sequence[str] | None = None) -> tuple[str, ...]:
        values = self._content.get(name, default)
        if not isinstance(values, list | tuple) or not values:
            raise self._error(f"{name} is {values!r}; it must be a list of names")
        return tuple(str(each) for each in values)


def _listed(value: object) -> list[object]:
    """A list as it is, and anything else as a list of one."""
    return value if isinstance(value, list) else [value]
