"""Settings of the tune stage."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from components.model.settings import MOST_LAYERS, MOST_RATE, MOST_UNITS, Hyperparameters
from components.section import Section, SettingError


class SearchSpace(Section):
    """What is searched."""

    learning_rate: tuple[float, float] = Field((1e-4, 1e-2), description="Lowest and highest rate, on a log scale.")
    dense_layers: tuple[Annotated[int, Field(ge=0, le=MOST_LAYERS)], ...] = Field(
        (1, 2), min_length=1, description="Numbers of dense layers to choose from."
    )
    dense_units: tuple[Annotated[int, Field(ge=1, le=MOST_UNITS)], ...] = Field(
        (64, 128, 256), min_length=1, description="Layer widths to choose from."
    )
    dropout: tuple[float, float] = Field((0.0, 0.5), description="Lowest and highest dropout, in steps of 0.1.")

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        for name in ("learning_rate", "dropout"):
            low, high = getattr(self, name)
            if low > high:
                raise SettingError(f"{name}: the lowest value {low} is above the highest {high}", remedy="swap them")
        if self.learning_rate[1] > MOST_RATE:
            problem = f"learning_rate: nothing trains at a rate of {self.learning_rate[1]:g}"
            raise SettingError(problem, remedy=f"give a highest value of at most {MOST_RATE:g}")
        if self.learning_rate[0] <= 0:
            problem = f"learning_rate: {self.learning_rate[0]} has no logarithm, and rates are searched on a log scale"
            raise SettingError(problem, remedy="give a lowest value above 0")
        if not 0 <= self.dropout[0] <= self.dropout[1] < 1:
            problem = f"dropout: {self.dropout[0]} to {self.dropout[1]} is not a range of shares"
            raise SettingError(problem, remedy="give values of at least 0 and below 1")
        return self


class TuneSettings(Section):
    """How hyperparameters are searched. Every search has the same budget."""

    scope: Literal["baseline", "per_variant"] = Field(
        "baseline", description="Search once on the baseline and share the result, or once for every variant."
    )
    fixed: Hyperparameters | None = Field(None, description="Hyperparameters to use without a search.")
    initial_points: int | None = Field(
        None,
        ge=1,
        description="Random trials before the Gaussian process takes over; None for 5, or all where there are fewer.",
    )
    trials: int = Field(20, ge=1, description="Total number of trials, including the initial points.")
    epochs: int = Field(25, ge=1, description="Maximum number of epochs per trial.")
    parallel_trials: int = Field(
        1,
        ge=1,
        description="Trials that run at once, each in a process with a GPU of its own, or with its share of the "
        "cores. Above 1, what is tried next depends on which trial ends first.",
    )
    seed: int = Field(42, ge=0, description="Seed of the search and of its networks.")
    space: SearchSpace = Field(default_factory=SearchSpace, description="What is searched.")

    @property
    def random_trials(self) -> int:
        """Number of random trials."""
        return min(5, self.trials) if self.initial_points is None else self.initial_points

    @model_validator(mode="after")
    def _initial_points_fit(self) -> Self:
        if self.random_trials > self.trials:
            problem = f"initial_points ({self.initial_points}) is above trials ({self.trials})"
            raise SettingError(problem, remedy="lower it or raise trials")
        return self
