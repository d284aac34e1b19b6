"""The table of parameters as ROS parameters."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor
from rclpy.exceptions import ParameterException
from rclpy.node import Node

from coarse_loftr_ros.node.common.parameter import Change, Parameter, ParameterError, Table, Value

__all__ = ["declare_parameters", "descriptor", "unknown_parameters"]

# Parameters that ROS itself declares.
_FOREIGN = ("use_sim_time", "start_type_description_service", "qos_overrides.")


def declare_parameters(
    node: Node, table: Table, check: Callable[[Mapping[str, Value]], None]
) -> dict[str, Value]:
    """Declare a whole table.

    Args:
        node: whose parameters they are.
        table: of its parameters.
        check: raises ``ParameterError`` when values do not fit together.

    Returns:
        The values that the node starts with.

    Raises:
        ParameterError: when a given value is refused.
    """
    values: dict[str, Value] = {}
    given = _given(node)
    for row in table.values():
        if row.name in given:
            row.check(given[row.name])  # in better words than rclpy's
        try:
            values[row.name] = node.declare_parameter(row.name, row.default, descriptor(row)).value
        except ParameterException as error:
            raise ParameterError(str(error)) from error
    check(values)
    return values


def descriptor(row: Parameter) -> ParameterDescriptor:
    """What ROS tools show of a parameter."""
    description = row.description
    if row.choices:
        description += f" Allowed: {row.allowed}."
    if row.unit:
        description += f" Unit: {row.unit}."
    if row.change is Change.UNCONFIGURED:
        description += f" May change {row.change.value}."
    result = ParameterDescriptor(description=description, read_only=row.change is Change.AT_START)
    if row.low is not None and isinstance(row.default, float):
        result.floating_point_range = [FloatingPointRange(from_value=row.low, to_value=row.high)]
    elif row.low is not None:
        result.integer_range = [IntegerRange(from_value=row.low, to_value=row.high)]
    return result


def unknown_parameters(node: Node, table: Table) -> list[str]:
    """Sentences about values given to the node that no parameter takes: ROS drops them silently."""
    sentences = []
    for name in sorted(_given(node)):
        if name in table or name.startswith(_FOREIGN):
            continue
        similar = difflib.get_close_matches(name, table, 1)
        hint = f"; did you mean '{similar[0]}'?" if similar else ""
        sentences.append(f"parameter '{name}' is not known and has no effect{hint}")
    return sentences


def _given(node: Node) -> dict[str, object]:
    """Values from the command line and from files, for which rclpy has no public name."""
    overrides = getattr(node, "_parameter_overrides", {})
    return {name: parameter.value for name, parameter in overrides.items()}
