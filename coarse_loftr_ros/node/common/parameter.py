"""What a parameter of a node is: a default, what is allowed, and a sentence about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

__all__ = [
    "MANAGED_NODE",
    "Change",
    "Parameter",
    "ParameterError",
    "Table",
    "Value",
    "check_values",
    "group",
    "table",
]

Value = bool | int | float | str


class ParameterError(ValueError):
    """A parameter value that is refused, in words for the user."""


class Change(Enum):
    """When a parameter may change: it must not where nothing would come of it."""

    AT_START = "at start only"
    UNCONFIGURED = "while the node is unconfigured"
    AT_RUN_TIME = "at run time"


@dataclass(frozen=True)
class Parameter:
    """One row of the table.

    Attributes:
        name: with dots between groups.
        default: its type is the parameter's type.
        description: one sentence.
        unit: of the value; empty when it has none.
        low: least value, for numbers.
        high: largest value, for numbers.
        choices: allowed words, for strings; empty allows any.
        change: when it may change.
    """

    name: str
    default: Value
    description: str
    unit: str = ""
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()
    change: Change = Change.AT_RUN_TIME

    @property
    def allowed(self) -> str:
        """The allowed values in words."""
        if self.choices:
            return " | ".join(self.choices)
        if isinstance(self.default, bool):
            return "true | false"
        if self.low is not None:
            return f"{self.low} to {self.high}{' ' + self.unit if self.unit else ''}"
        return "any text"

    def check(self, value: object) -> None:
        """Refuse a value of another type or out of range.

        Raises:
            ParameterError: naming the parameter, the value and what is allowed.
        """
        if type(value) is not type(self.default):
            kind = {bool: "true or false", int: "a whole number", str: "text"}
            wanted = kind.get(type(self.default), "a number with a decimal point")
            raise ParameterError(
                f"parameter '{self.name}' is {value!r}; it must be {wanted}: {self.allowed}"
            )
        if self.choices and value not in self.choices:
            raise ParameterError(
                f"parameter '{self.name}' is '{value}'; allowed are {', '.join(self.choices)}"
            )
        if self.low is not None and not self.low <= value <= self.high:
            raise ParameterError(f"parameter '{self.name}' is {value}; allowed is {self.allowed}")


MANAGED_NODE = (
    Parameter(
        "autostart",
        True,
        "Configure and activate by itself; false waits for lifecycle transitions.",
        change=Change.AT_START,
    ),
    Parameter(
        "diagnostics_period",
        1.0,
        "Time between two messages on /diagnostics.",
        unit="s",
        low=0.1,
        high=60.0,
        change=Change.AT_START,
    ),
)
"""The parameters that every managed node has."""

Table = Mapping[str, Parameter]
"""All parameters of a node by name, in the order of the documentation."""


def table(*rows: Parameter) -> Table:
    """A table of these rows."""
    return {row.name: row for row in rows}


def check_values(parameters: Table, values: Mapping[str, Value]) -> None:
    """Refuse values that a table does not allow.

    Raises:
        ParameterError: naming the parameter, the value and what is allowed.
    """
    for name, value in values.items():
        parameters[name].check(value)


def group(values: Mapping[str, Value], name: str) -> dict[str, Value]:
    """Values of a group by the name after the dot."""
    prefix = name + "."
    return {key[len(prefix) :]: value for key, value in values.items() if key.startswith(prefix)}
