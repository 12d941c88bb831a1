"""What machines cost: given by the user, because no list of prices stays true."""

from pydantic import Field, field_validator

from components.section import Section, SettingError
from pipeline.platforms.resources import ACCELERATORS, StageResources


class Prices(Section):
    """Prices of one hour of what a stage asks for. Disks, network and the cluster itself are not among them."""

    cpu_core_hour: float = Field(ge=0, description="One processor core for an hour.")
    memory_gb_hour: float = Field(ge=0, description="One gigabyte of memory for an hour.")
    accelerator_hour: dict[str, float] = Field(
        default_factory=dict, description=f"One GPU for an hour, by model: {', '.join(ACCELERATORS)}."
    )
    spot_share: float = Field(1.0, gt=0, le=1, description="What a spot machine costs, as a share of the full price.")
    currency: str = Field("USD", min_length=1, description="Currency of the prices.")

    @field_validator("accelerator_hour")
    @classmethod
    def _accelerators_are_known(cls, prices: dict[str, float]) -> dict[str, float]:
        for name, price in prices.items():
            if name not in ACCELERATORS:
                raise SettingError(f"there is no accelerator '{name}'", remedy=f"choose {', '.join(ACCELERATORS)}")
            if price < 0:
                raise SettingError(f"{name} costs {price:g} an hour", remedy="set a price of at least 0")
        return prices

    def per_hour(self, resources: StageResources) -> float | None:
        """Return what a stage's machine costs in an hour; None where it has a GPU whose price is not given."""
        price = resources.cpu * self.cpu_core_hour + resources.memory_gb * self.memory_gb_hour
        if resources.accelerator is not None:
            if resources.accelerator not in self.accelerator_hour:
                return None
            price += resources.accelerator_count * self.accelerator_hour[resources.accelerator]
        return price * (self.spot_share if resources.spot else 1.0)
