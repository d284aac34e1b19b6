"""Reads the files that repeat a table of parameters: YAML, and launch files without ROS."""

from __future__ import annotations

import ast
import re
from itertools import pairwise
from pathlib import Path


def flat(tree: dict, prefix: str = "") -> dict:
    """Values of nested groups under names with dots."""
    leaves = {}
    for name, value in tree.items():
        if isinstance(value, dict):
            leaves |= flat(value, f"{prefix}{name}.")
        else:
            leaves[prefix + name] = value
    return leaves


def lines_above_values(text: str) -> list[str]:
    """The comment that stands directly above each value of a YAML file."""
    lines = [line.strip() for line in text.splitlines()]
    return [above for above, line in pairwise(lines) if _is_value(line)]


def launch_tree(repository: Path, name: str) -> ast.Module:
    return ast.parse((repository / "launch" / f"{name}.launch.py").read_text())


def constant(tree: ast.Module, name: str) -> dict:
    """The value of a module's constant."""
    for node in tree.body:
        if isinstance(node, ast.Assign) and node.targets[0].id == name:
            return ast.literal_eval(node.value)
    raise AssertionError(f"{name} is not assigned in the launch file")


def declared(tree: ast.Module) -> dict[str, str]:
    """Names and descriptions of arguments that are declared one by one."""
    found = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "DeclareLaunchArgument":
            if not isinstance(node.args[0], ast.Constant):
                continue
            keywords = {k.arg: k.value for k in node.keywords}
            found[node.args[0].value] = ast.literal_eval(keywords["description"])
    return found


def declared_by_both(repository: Path) -> dict[str, str]:
    """Those that both launch files have from the package."""
    file = repository / "coarse_loftr_ros/node/launching/nodes.py"
    return declared(ast.parse(file.read_text()))


def _is_value(line: str) -> bool:
    return not line.startswith("#") and bool(re.fullmatch(r"\w+: .+", line))
