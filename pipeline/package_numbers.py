"""The whole numbers of a compiled package: KFP writes 64 as 64.0, since its protobuf ``Struct`` knows only doubles."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml
from yaml.constructor import SafeConstructor

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_FLOAT = "tag:yaml.org,2002:float"
_HOLDERS = {"defaultValue", "constant", "backoffFactor"}
"""Keys of the package below which it repeats what the pipeline was given."""


def restore_integers(package: Path, given: Sequence[Any]) -> None:
    """Write as integers, in place, the numbers of a package that were integers when the pipeline was built.

    Nothing else in the file changes by a byte, and the package means the same: only ``3.0`` becomes ``3``.

    Args:
        package: A YAML file that KFP's compiler wrote.
        given: Values that the pipeline was built from. A value of the package that equals one of them is written with
            its integers.
    """
    text = package.read_text(encoding="utf-8")
    lines = text.split("\n")
    edits = [edit for document in yaml.compose_all(text, Loader=_LOADER) for edit in _integers(document, given)]
    # From right to left, so that the columns of what is still to come stay true.
    for line, start, end, number in sorted(edits, reverse=True):
        lines[line] = lines[line][:start] + number + lines[line][end:]
    package.write_text("\n".join(lines), encoding="utf-8")


_Edit = tuple[int, int, int, str]
"""Line, first column, column after the last, and the number to put there."""


def _integers(node: yaml.Node, given: Sequence[Any]) -> Iterator[_Edit]:
    """Yield an edit for each number below a node that equals a given integer in the same place of a given value."""
    if isinstance(node, yaml.SequenceNode):
        for item in node.value:
            yield from _integers(item, given)
    elif isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            original = _equal(value, given) if key.value in _HOLDERS else None
            if original is None:
                yield from _integers(value, given)
            else:
                yield from _written_like(value, original)


def _equal(node: yaml.Node, given: Sequence[Any]) -> Any:
    """Return the given value that a node's equals, or None: to Python, 3.0 and 3 are equal at any depth."""
    value = SafeConstructor().construct_document(node)
    return next((known for known in given if known == value), None)


def _written_like(node: yaml.Node, original: Any) -> Iterator[_Edit]:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield from _written_like(value, original[key.value])
    elif isinstance(node, yaml.SequenceNode):
        for value, known in zip(node.value, original, strict=True):
            yield from _written_like(value, known)
    elif node.tag == _FLOAT and type(original) is int:
        start, end = node.start_mark, node.end_mark
        yield start.line, start.column, end.column, str(original)
