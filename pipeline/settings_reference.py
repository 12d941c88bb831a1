"""Every setting with its type, default and meaning, read from the sections themselves."""

import json
import textwrap
import types
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from components.errors import RequestError
from components.suggestion import did_you_mean
from pipeline.settings import Settings, load_settings

_WIDTH = 110
"""Columns of a comment in a settings file."""


_PLAIN: dict[Any, str] = {
    int: "whole number",
    float: "number",
    bool: "true or false",
    str: "text",
    type(None): "null",
}


@dataclass(frozen=True)
class Entry:
    """One setting.

    Attributes:
        path: Its place, such as ``training.epochs``.
        kind: What values it takes, in words.
        default: Its default, as YAML that ``--set`` reads; empty where there is none.
        meaning: What it does.
    """

    path: str
    kind: str
    default: str
    meaning: str

    @property
    def section(self) -> str:
        """The first part of its place; empty for a setting that lies in no section."""
        return self.path.partition(".")[0] if "." in self.path else ""


def list_settings(section: str | None = None) -> list[Entry]:
    """Return every setting, or those of one section, in the order in which the sections define them.

    Args:
        section: Such as ``tune`` or ``tune.space``; None for all.

    Raises:
        RequestError: If there is no such section, naming the nearest.
    """
    entries = list(_entries(Settings, ""))
    if section is None:
        return entries
    found = [entry for entry in entries if entry.path == section or entry.path.startswith(f"{section}.")]
    if not found:
        parts = [entry.path.split(".") for entry in entries]
        names = sorted({".".join(path[:length]) for path in parts for length in range(1, len(path) + 1)})
        top = ", ".join(dict.fromkeys(path[0] for path in parts))
        raise RequestError(f"There is no setting '{section}'{did_you_mean(section, names)}", remedy=f"choose {top}")
    return found


def settings_page() -> str:
    """Return the page ``docs/settings.md``."""
    lines = [
        "# Settings",
        "",
        "Every setting, with the default of the proof of concept; a preset, then `--config FILE`, then "
        "`--set section.key=value` override it. `evenface settings SECTION` prints a part of this page, "
        "`evenface init PRESET` writes a file to change. Written by `make settings`.",
    ]
    section: str | None = None
    for entry in list_settings():
        if entry.section != section:
            section = entry.section
            title = f"`{section}`" if section else "The run"
            lines += ["", f"## {title}", "", "| setting | values | default | meaning |", "|---|---|---|---|"]
        cells = (f"`{entry.path}`", entry.kind, f"`{entry.default}`" if entry.default else "–", entry.meaning)
        lines.append(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |")
    return "\n".join(lines) + "\n"


def settings_file(preset: str) -> str:
    """Return a preset as a YAML file in which every setting stands with its meaning.

    What the preset changes is set; what it leaves at its default is a comment.

    Raises:
        RequestError: If there is no such preset.
    """
    settings = load_settings(preset)
    told = (resources.files("pipeline") / "presets" / f"{preset}.yaml").read_text(encoding="utf-8")
    introduction = [line for line in told.splitlines() if line.startswith("#")][:1]
    lines = [*introduction, f"# Every setting of the preset {preset}: what is commented out has its default.", ""]
    lines += _lines_of(settings, Settings(), "")
    return "\n".join(lines) + "\n"


def _entries(model: type[BaseModel], path: str) -> Iterator[Entry]:
    for name, field in model.model_fields.items():
        place = f"{path}{name}"
        if (inner := _section_of(field)) is not None and _default(field) is not None:
            yield from _entries(inner, f"{place}.")
        else:
            yield Entry(place, _kind(field), _yaml(_default(field)), _one_line(field.description))
            if inner is not None:
                yield from _entries(inner, f"{place}.")


def _lines_of(section: BaseModel, usual: BaseModel | None, indent: str) -> Iterator[str]:
    """Yield the lines of a section; what has its default is a comment.

    Args:
        section: The section.
        usual: Its defaults; None where all of it is about to become a comment.
        indent: What its lines begin with.
    """
    for name, field in type(section).model_fields.items():
        value, default = getattr(section, name), None if usual is None else getattr(usual, name)
        is_usual = usual is not None and value == default
        if not indent:
            yield ""
        yield from (f"{indent}# {line}" for line in textwrap.wrap(_one_line(field.description), _WIDTH - len(indent)))
        if not isinstance(value, BaseModel):
            yield f"{indent}{'# ' if is_usual else ''}{name}: {_yaml(value)}"
        elif is_usual or not isinstance(default, BaseModel):
            mark = "# " if is_usual else ""
            yield f"{indent}{mark}{name}:"
            yield from (f"{indent}{mark}{line}" for line in _lines_of(value, None, "  "))
        else:
            yield f"{indent}{name}:"
            yield from _lines_of(value, default, f"{indent}  ")


def _section_of(field: FieldInfo) -> type[BaseModel] | None:
    """Return the section that a field holds, if it holds one."""
    found = [kind for kind in (field.annotation, *get_args(field.annotation)) if isinstance(kind, type)]
    return next((kind for kind in found if issubclass(kind, BaseModel)), None)


def _default(field: FieldInfo) -> Any:
    return None if field.is_required() else field.get_default(call_default_factory=True)


def _kind(field: FieldInfo) -> str:
    limits = [
        f"{word} {getattr(rule, sign)}"
        for rule in field.metadata
        for sign, word in (("ge", "at least"), ("gt", "above"), ("le", "at most"), ("lt", "below"))
        if hasattr(rule, sign)
    ]
    return ", ".join([_words(field.annotation), *limits])


def _words(kind: Any) -> str:
    """Return a type as people say it."""
    origin, inner = get_origin(kind), [part for part in get_args(kind) if part is not Ellipsis]
    if origin is Literal:
        words = " or ".join(_yaml(value) for value in inner)
    elif origin in (Union, types.UnionType):
        words = " or ".join(_words(part) for part in inner)
    elif origin in (tuple, list) and (origin is list or Ellipsis in get_args(kind)):
        words = f"list of {_words(inner[0])}"
    elif origin is tuple:
        words = f"{len(inner)} × {_words(inner[0])}"
    elif origin is dict:
        words = f"{_words(inner[0])}: {_words(inner[1])}"
    elif hasattr(kind, "__metadata__"):
        words = _words(kind.__origin__)
    elif isinstance(kind, type) and issubclass(kind, BaseModel):
        words = "section"
    else:
        words = _PLAIN.get(kind, "value")
    return words


def _yaml(value: Any) -> str:
    """Return a value as YAML on one line, which JSON is."""
    if isinstance(value, BaseModel):
        value = value.model_dump(mode="json")
    if isinstance(value, str) and value.replace("_", "").isalnum() and not value.isdigit():
        return value
    return json.dumps(value, ensure_ascii=False, default=list)


def _one_line(text: str | None) -> str:
    return " ".join((text or "").split())
