"""Settings of preprocess."""

from dataclasses import replace
from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from components.dataset.labels import ETHNICITIES, GENDERS, Labels
from components.dataset.outputs import ALL_OUTPUTS, FOCUS
from components.section import Section, SettingError
from components.sources.face_labels import Vocabulary
from components.sources.limits import SourceLimits
from components.sources.synthetic_settings import SyntheticSettings
from components.sources.table_settings import TableSettings

_MOST = 127
"""Codes that fit into a byte."""
_LONGEST_NAME = 64


def _are_all(outputs: tuple[str, ...]) -> bool:
    return outputs == ALL_OUTPUTS


class PreprocessSettings(Section):
    """Which faces are used. The defaults are those of the proof of concept."""

    # Left out where it says what held before it could be set, so that such a run keeps its cache and its champion.
    outputs: tuple[str, ...] = Field(
        ALL_OUTPUTS,
        exclude_if=_are_all,
        description="What is learned and judged; without age or gender, the data need not state it. The classes "
        "(ethnicity) are always among them.",
    )
    ethnicities: tuple[str, ...] = Field(
        ETHNICITIES,
        description="Names of the classes: those that a table states, or what the race codes of file names stand for.",
    )
    genders: tuple[str, str] = Field(
        GENDERS, description="Names of the two genders: those that a table states, or of the codes 0 and 1."
    )
    age_unit: str = Field(
        "years",
        pattern=r"^[a-z]+( [a-z]+)*$",
        max_length=20,
        description="What an age counts, such as months; every setting that speaks of years then means these.",
    )
    drop_ethnicities: tuple[str, ...] = Field(("Other",), description="Ethnicity classes that are not used.")
    max_age: int = Field(80, ge=1, description="Highest age that is used, in years.")
    max_plausible_age: int = Field(
        116,
        ge=1,
        le=32767,
        description="Highest age accepted from a file name or table, in years; anything above is a fault.",
    )
    age_bin_width: int = Field(10, ge=1, description="Width of an age bin, in years. The last may be narrower.")
    undersample: dict[str, float] = Field(
        default_factory=lambda: {"Asian": 0.75},
        description="For each class to be made rare on purpose, the fraction to remove; {} removes nothing.",
    )
    floor_per_cell: int = Field(
        10,
        ge=0,
        description="Undersampling brings no gender × age bin of a class below this number of faces. Set at least "
        "build_test_set.faces_per_cell, or the test set can't be filled; what is above it is left for training.",
    )
    duplicates: Literal["keep", "group", "drop"] = Field(
        "keep",
        description="What to do with byte-identical files. keep and group use all of them and never separate them; "
        "drop keeps one where the labels agree and none where they conflict. Near-copies are never dropped.",
    )
    near_copies: int = Field(
        40,
        ge=0,
        le=64,
        description="Bits, of 256, in which the perceptual hashes of two faces may differ so that they count as one "
        "photograph and are never separated; 0 looks for byte-identical files alone.",
    )
    duplicate_age_tolerance: int = Field(
        5, ge=0, description="Copies whose ages differ by more years than this have conflicting labels."
    )
    max_reject_fraction: float = Field(
        0.05,
        ge=0,
        le=1,
        description="Largest share of faulty image files (bad name, undecodable); a larger one stops the run.",
    )
    min_side: int = Field(32, ge=1, description="Smallest side that an image may have, in pixels.")
    max_pixels: int = Field(
        25_000_000, ge=1, description="Most pixels that an image may have: a guard against decompression bombs."
    )
    shard_megabytes: float = Field(64.0, gt=0, le=1024, description="Approximate size of the images in one shard.")
    workers: int = Field(
        1,
        ge=1,
        le=128,
        description="Threads that decode and hash images. One is fastest for faces of a few hundred pixels, whose work "
        "mostly holds Python's lock; more help with photographs of megapixels.",
    )
    # Decides the shape of the pipeline and nothing about the faces: it is no part of a cache key or of a manifest.
    parts: int = Field(
        1,
        ge=1,
        le=1000,
        exclude=True,
        description="Number of parts in which a source is read, each by a task of its own; the result is the same.",
    )
    seed: int = Field(0, ge=0, description="Seed that determines which faces undersampling keeps.")
    table: TableSettings = Field(default_factory=TableSettings, description="Columns of a source that is a table.")
    limits: SourceLimits = Field(default_factory=SourceLimits, description="Limits on what is read from a source.")
    synthetic: SyntheticSettings = Field(
        default_factory=SyntheticSettings, description="Faces of the source 'synthetic'."
    )

    @field_validator("outputs")
    @classmethod
    def _outputs_are_known(cls, outputs: tuple[str, ...]) -> tuple[str, ...]:
        for name in outputs:
            if name not in ALL_OUTPUTS:
                raise SettingError(f"There is no output '{name}'", remedy=f"choose from {', '.join(ALL_OUTPUTS)}")
        if len(set(outputs)) < len(outputs):
            raise SettingError(f"An output is repeated: {', '.join(outputs)}", remedy="name each once")
        if FOCUS.name not in outputs:
            raise SettingError(
                f"The outputs lack {FOCUS.name}, whose classes are what is balanced", remedy=f"add {FOCUS.name}"
            )
        return tuple(name for name in ALL_OUTPUTS if name in outputs)

    @model_validator(mode="after")
    def _columns_are_named(self) -> Self:
        for name in self.outputs:
            if not getattr(self.table, name):
                raise SettingError(
                    f"table.{name} names no column", remedy=f"name one, or take {name} out of preprocess.outputs"
                )
        return self

    @model_validator(mode="after")
    def _names_are_fit(self) -> Self:
        for key, names in (("ethnicities", self.ethnicities), ("genders", self.genders)):
            _check_names(key, names)
        return self

    @model_validator(mode="after")
    def _classes_make_sense(self) -> Self:
        for key, names in (("drop_ethnicities", self.drop_ethnicities), ("undersample", self.undersample)):
            for name in names:
                if name not in self.ethnicities:
                    raise SettingError(
                        f"{key} names an unknown class '{name}'",
                        remedy=f"choose from {', '.join(self.ethnicities)}, or name none: {key}={_NONE[key]}",
                    )
        for name, fraction in self.undersample.items():
            if name in self.drop_ethnicities:
                raise SettingError(
                    f"undersample names '{name}', which drop_ethnicities drops", remedy="name it in only one of them"
                )
            if not 0 <= fraction < 1:
                raise SettingError(
                    f"undersample.{name} is {fraction:g}", remedy="set a fraction of at least 0 and below 1"
                )
        if len(self.kept_ethnicities) < 2:
            raise SettingError("drop_ethnicities leaves fewer than two classes", remedy="drop fewer of them")
        return self

    @model_validator(mode="after")
    def _ages_make_sense(self) -> Self:
        if self.max_age > self.max_plausible_age:
            raise SettingError(
                f"max_age {self.max_age} is above max_plausible_age {self.max_plausible_age}",
                remedy="lower max_age or raise max_plausible_age",
            )
        if (bins := -(-self.max_age // self.age_bin_width)) > _MOST:
            raise SettingError(
                f"max_age {self.max_age} makes {bins} age bins of {self.age_bin_width}",
                remedy=f"raise age_bin_width to {-(-self.max_age // _MOST)} or more; with about ten bins a test set "
                "can be filled",
            )
        return self

    @property
    def kept_ethnicities(self) -> tuple[str, ...]:
        """The classes that are used, in the settings' order."""
        return tuple(name for name in self.ethnicities if name not in self.drop_ethnicities)

    @property
    def labels(self) -> Labels:
        """What the codes of the manifest mean."""
        return Labels(
            self.genders, self.kept_ethnicities, self.max_age, self.age_bin_width, self.age_unit, self.outputs
        )

    @property
    def stated_labels(self) -> Labels:
        """What the codes of the source mean, classes included that are dropped."""
        return replace(self.labels, ethnicities=self.ethnicities)

    @property
    def columns(self) -> TableSettings:
        """Which columns of a table are read."""
        return self.table.only(self.outputs)

    @property
    def vocabulary(self) -> Vocabulary:
        """The labels that the source may state."""
        return Vocabulary(self.genders, self.ethnicities, self.max_plausible_age, self.outputs)


_NONE = {"drop_ethnicities": "[]", "undersample": "{}"}


def _check_names(key: str, names: tuple[str, ...]) -> None:
    if len(names) > _MOST:
        raise SettingError(f"{key} names {len(names)} classes", remedy=f"name at most {_MOST}")
    for name in names:
        if not name or name != name.strip() or not name.isprintable() or len(name) > _LONGEST_NAME:
            raise SettingError(
                f"{key} has the name {name[:_LONGEST_NAME]!r}",
                remedy=f"use printable names of 1 to {_LONGEST_NAME} characters without spaces around them",
            )
    if len(set(names)) < len(names):
        raise SettingError(f"{key} names a class twice", remedy="name each once")
