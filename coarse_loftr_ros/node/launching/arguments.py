"""What the launch files refuse before they start anything, in words.

Launch turns an exception into its own end with a status that is not 0. A parameter file that is
not there would only be warned about, and the node run with its defaults. Values that a node
refuses are left to it: its tables would bring NumPy and OpenCV into the process of ``ros2 launch``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

__all__ = ["TRUTH_VALUES", "check_model", "check_names", "check_parameter_file", "full_name"]

TRUTH_VALUES = ("true", "false", "True", "False")
"""How people write them on a command line."""


def check_parameter_file(path: Path, nodes: Iterable[str]) -> None:
    """Refuse a file of parameters from which a node would get none.

    Args:
        path: of the file.
        nodes: full names of the nodes that it is given to.

    Raises:
        ValueError: naming the file and what is wrong with it.
    """
    import yaml

    try:
        content = yaml.safe_load(path.read_text())
    except OSError as error:
        raise ValueError(f"params_file {path} cannot be read: {error.strerror}") from error
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())
        raise ValueError(f"params_file {path} is not YAML: {reason}") from error
    sections = sorted(_sections(content))
    for node in nodes:
        if not any(_holds_for(section, node) for section in sections):
            found = f"it has those of {', '.join(sections)}" if sections else "it has none at all"
            raise ValueError(f"params_file {path} has no parameters for node {node}; {found}")


def check_names(kind: str, names: Mapping[str, str]) -> None:
    """Refuse what cannot be the name of something in ROS.

    Args:
        kind: ``node``, ``namespace`` or ``topic``.
        names: by the launch argument that gives them.

    Raises:
        ValueError: naming the argument, its value and what is wrong with it.
    """
    from rclpy.exceptions import NameValidationException
    from rclpy.expand_topic_name import expand_topic_name
    from rclpy.validate_full_topic_name import validate_full_topic_name
    from rclpy.validate_namespace import validate_namespace
    from rclpy.validate_node_name import validate_node_name
    from rclpy.validate_topic_name import validate_topic_name

    def validate_topic(name: str) -> None:
        validate_topic_name(name)
        validate_full_topic_name(expand_topic_name(name, "node", "/"))

    validate = {
        "node": validate_node_name,
        "namespace": lambda name: validate_namespace(full_name("", name)),
        "topic": validate_topic,
    }[kind]
    for argument, name in names.items():
        try:
            validate(name)
        except (NameValidationException, ValueError) as error:
            reason = str(error).splitlines()[0].rstrip(":")
            raise ValueError(f"argument '{argument}' is '{name}': {reason}") from error


def check_model(name: str, shipped: Iterable[str]) -> None:
    """Refuse what is neither a model of the package nor the folder of one; empty is none given.

    Raises:
        ValueError: naming the model and what is allowed.
    """
    if name and name not in shipped and not (Path(name).expanduser() / "model.json").is_file():
        raise ValueError(
            f"argument 'model' is '{name}', which is neither {' nor '.join(shipped)} nor a folder "
            "with a model.json"
        )


def full_name(*parts: str) -> str:
    """Namespaces and a name as one; one that starts with a slash begins anew."""
    name = ""
    for part in parts:
        name = part if part.startswith("/") else f"{name}/{part}"
    return re.sub("/+", "/", name).rstrip("/") or "/"


def _sections(content: object, name: str = "") -> Iterator[str]:
    """Names, with wildcards, of the nodes that a file has parameters for."""
    if not isinstance(content, Mapping):
        return
    for key, value in content.items():
        if key != "ros__parameters":
            yield from _sections(value, f"{name}/{key}")
        elif isinstance(value, Mapping) and value:
            yield full_name(name)


def _holds_for(section: str, node: str) -> bool:
    """Whether rcl gives the parameters of a section to a node."""
    pattern = section.replace("/*", r"(/\w+)")  # so "/**" is any number of tokens
    try:
        return re.fullmatch(pattern, node) is not None
    except re.error:
        return False
