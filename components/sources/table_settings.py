"""Which columns of a table of faces mean what."""

from collections.abc import Collection
from typing import Self

from pydantic import Field, model_validator

from components.section import Section, SettingError
from components.sources.face_labels import UNREAD


class TableSettings(Section):
    """The columns of a source that is a CSV or Parquet table; other columns are ignored."""

    image: str = Field(
        "image",
        min_length=1,
        description="Column with the path of each image, absolute or relative to the table, or its gs:// URI.",
    )
    age: str = Field("age", description="Column with the age, a whole number from 1 up.")
    gender: str = Field("gender", description="Column with one of preprocess.genders.")
    ethnicity: str = Field("ethnicity", min_length=1, description="Column with one of preprocess.ethnicities.")
    separator: str = Field(",", min_length=1, max_length=1, description="What stands between the columns of a CSV.")

    @model_validator(mode="after")
    def _columns_differ(self) -> Self:
        named = [column for column in self.columns if column]
        if len(set(named)) < len(named):
            raise SettingError("two labels are read from one column", remedy="name a column for each")
        return self

    @property
    def columns(self) -> tuple[str, str, str, str]:
        """The columns of the image, the age, the gender and the class; empty for one that is not read."""
        return self.image, self.age, self.gender, self.ethnicity

    def only(self, outputs: Collection[str]) -> "TableSettings":
        """Return the columns of some outputs alone; those of the others are not read and need not exist."""
        unread = [name for name in UNREAD if name not in outputs]
        return self.model_copy(update=dict.fromkeys(unread, "")) if unread else self
