"""YAML from a user, read within bounds: a few lines of aliases can stand for more nodes than memory holds."""

from typing import Any

import yaml

MOST_CHARACTERS = 1_000_000
MOST_NODES = 100_000
"""Values in one text, each alias counted as what it stands for."""


class YamlError(Exception):
    """A text that is not YAML, or more of it than settings need; the message says why, without a full stop."""


def parse_yaml(text: str) -> Any:
    """Return the plain values that a YAML text holds.

    Raises:
        YamlError: If it is not YAML, is too long, contains itself, or stands for too many values.
    """
    if len(text) > MOST_CHARACTERS:
        raise YamlError(f"it is longer than {MOST_CHARACTERS:,} characters")
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        if root is None:
            return None
        if _nodes(root, {}) > MOST_NODES:
            raise YamlError(f"its aliases stand for more than {MOST_NODES:,} values")
        return yaml.safe_load(text)
    except RecursionError:
        raise YamlError("it is nested too deeply") from None
    except yaml.YAMLError as error:
        raise YamlError(" ".join(str(error).split())) from None
    except (ValueError, LookupError, TypeError, AttributeError, ArithmeticError) as error:
        # What PyYAML lets through from a value that only looks like a date, a number or what a tag says.
        raise YamlError(f"it has a value that can't be read: {error}") from None


def _nodes(node: yaml.Node, known: dict[int, int | None]) -> int:
    """Count the values below a node, and the node; ``known`` holds the counts of the nodes met before."""
    if id(node) in known:
        count = known[id(node)]
        if count is None:
            raise YamlError("an alias in it contains itself")
        return count
    known[id(node)] = None
    total = 1
    if isinstance(node, yaml.MappingNode):
        total += sum(_nodes(key, known) + _nodes(value, known) for key, value in node.value)
    elif isinstance(node, yaml.SequenceNode):
        total += sum(_nodes(item, known) for item in node.value)
    known[id(node)] = total
    return total
