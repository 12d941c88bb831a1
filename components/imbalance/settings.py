"""Settings of the cures: a section for each cure that has parameters, as its own file defines it."""

from collections.abc import Mapping
from typing import Any, Self

from pydantic import Field, GetJsonSchemaHandler, create_model
from pydantic_core import CoreSchema

from components.errors import RequestError
from components.imbalance.registry import SLOTS, VARIANTS, Variant, load_cure
from components.section import Section


def _sections() -> dict[str, Any]:
    """Return a field for each cure with parameters that a variant of the registry names."""
    fields: dict[str, Any] = {}
    for variant in VARIANTS.values():
        for slot in variant.cures:
            for name in variant.cure_names(slot):
                if section := getattr(load_cure(slot, name), "Settings", None):
                    fields[name] = (section, Field(default_factory=section, description=section.__doc__))
    return fields


_Sections: Any = create_model("_Sections", __base__=Section, **_sections())


class ImbalanceSettings(_Sections, Section):
    """Parameters of the cures."""

    def with_overrides(self, overrides: Mapping[str, float | bool | str]) -> Self:
        """Return the settings with some values replaced, by ``"section.key"`` such as ``"denseweight.alpha"``.

        Raises:
            RequestError: If a section is unknown.
            pydantic.ValidationError: If a key is unknown or a value is invalid.
        """
        content = self.model_dump()
        for path, value in overrides.items():
            section, _, key = path.partition(".")
            if section not in content:
                problem = f"The override '{path}' does not name a cure with settings"
                raise RequestError(problem, remedy=f"use one of {sorted(content)}")
            content[section][key] = value
        return self.model_validate(content)

    def of_cure(self, name: str) -> Section | None:
        """Return a cure's own section; None for a cure without parameters."""
        return dict(self).get(name)

    def of_variant(self, variant: Variant) -> dict[str, bool | int | float | str]:
        """Return the parameters of a variant's cures by ``"section.key"``, without those of None; its overrides win."""
        settings = self.with_overrides(variant.overrides)
        sections = {name: settings.of_cure(name) for slot in SLOTS for name in variant.cure_names(slot)}
        return {
            f"{name}.{key}": value
            for name, section in sections.items()
            if section
            for key, value in section
            if value is not None
        }

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """Describe the cures' parameters only generically, so that adding a cure leaves published schemas alone."""
        return {
            "type": "object",
            "description": "Parameters of the cures, by cure and name.",
            "additionalProperties": {"type": "object"},
        }


def list_variants() -> list[dict[str, str]]:
    """Return a table of the variants: name, title, a cure per slot, the default parameters and source."""
    settings = ImbalanceSettings()
    return [
        {
            "name": variant.name,
            "title": variant.title,
            **{slot: " + ".join(variant.cure_names(slot)) or "none" for slot in SLOTS},
            "settings": ", ".join(f"{key}={value}" for key, value in settings.of_variant(variant).items()),
            "source": variant.source,
        }
        for variant in VARIANTS.values()
    ]
