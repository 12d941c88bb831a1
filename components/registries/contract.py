"""``promotion.json``: what was decided about a model, and on which numbers.

The JSON Schema, ``promotion.schema.json`` in this folder, is :meth:`PromotionRecord.model_json_schema`.
"""

from typing import Any, Literal

from pydantic import Field

from components.contract import Contract

Decision = Literal["promoted", "refused", "rolled back"]

Case = Literal[
    "no champion",
    "better",
    "not worse",
    "tied",
    "worse",
    "worse elsewhere",
    "below the floor",
    "nothing to ship",
    "too few seeds",
    "same model",
    "other classes",
    "unreadable champion",
    "lost the race",
    "rolled back",
]
"""Why a decision fell as it did. ``other classes`` and ``unreadable champion`` are both refused and promoted, as the
policy says; ``lost the race``: another promotion changed the champion in the meantime."""

Role = Literal["primary", "non-inferiority", "floor", "told"]
"""What a number is there for; ``told``: for the reader alone."""


class Measurement(Contract):
    """One metric of the challenger and of the champion, on the same test faces."""

    metric: str
    scope: Literal["overall", "worst group"]
    challenger: float | None
    champion: float | None = None
    difference: float | None = None
    """Challenger minus champion."""
    low: float | None = None
    """Lower end of the difference's paired interval."""
    high: float | None = None
    p: float | None = None
    """Of the paired test of the primary metric, two-sided."""
    role: Role = "told"
    limit: float | None = None
    """The margin, or the floor, that it was held against."""
    holds: bool | None = None
    """Whether it met the limit; null for what is only told."""


class ModelFacts(Contract):
    """Which model a decision was about."""

    version: str | None
    """Its version in the registry; null for one that is not there."""
    standing: str | None = None
    row: str | None = None
    variant: str | None = None
    seed: int | None = None
    seeds: int | None = None
    """Seeds that its recommendation rests on."""
    fingerprint: str | None = None
    """Identity of the data that it was trained on."""
    problem: str | None = None
    """Why it could not be read; null where it could."""


class PromotionRecord(Contract):
    """One decision about the champion."""

    schema_version: Literal[1] = 1
    id: str
    """Sorts by time, and no two decisions share it."""
    time: str
    who: str
    """User and machine that decided."""
    decision: Decision
    case: Case
    reason: str
    version: str | None
    """The champion after this decision; null while there is none."""
    previous: str | None
    """The champion before it."""
    challenger: ModelFacts | None = None
    """Null for a rollback."""
    champion: ModelFacts | None = None
    """Null where there was none."""
    test_faces: int | None = None
    """Faces that both were scored on; null where nothing was scored."""
    confidence: float | None = None
    """Coverage of the intervals, as a share."""
    measurements: list[Measurement] = Field(default_factory=list)
    policy: dict[str, Any] = Field(default_factory=dict)
    """The policy as it stood."""

    @property
    def is_switch(self) -> bool:
        """Whether it named a champion."""
        return self.decision != "refused"
