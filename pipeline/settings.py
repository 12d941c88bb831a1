"""The settings: one typed tree, composed of the stages' sections."""

import contextlib
import copy
import hashlib
import json
import math
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any, Self

from pydantic import Field, ValidationError, model_validator

from components.build_test_set.settings import BuildTestSetSettings
from components.compare.settings import CompareSettings, ReportSettings
from components.dataset.outputs import FOCUS
from components.errors import RequestError
from components.evaluate.settings import EvaluateSettings
from components.evaluation.catalogue import CATALOGUE, TESTED, switched_on
from components.gates.settings import GatesSettings, RetrainSettings
from components.imbalance.registry import VARIANTS
from components.imbalance.settings import ImbalanceSettings
from components.model.settings import ModelSettings
from components.preprocess.settings import PreprocessSettings
from components.promote.settings import PromotionSettings
from components.registries.registry import mlflow_uri_of
from components.section import Section, SettingError
from components.split.settings import SplitSettings
from components.suggestion import did_you_mean
from components.track.settings import TrackingSettings
from components.training.recipe import Recipe
from components.training.settings import AugmentationSettings, TrainingSettings
from components.tune.settings import TuneSettings
from pipeline.hooks import HooksSettings
from pipeline.platforms.prices import Prices
from pipeline.platforms.resources import ResourcesSettings
from pipeline.platforms.targets import PlatformSettings
from pipeline.yaml_text import YamlError, parse_yaml

_SHOWN_CHARACTERS = 80

_DETERMINING = (
    "preprocess",
    "build_test_set",
    "split",
    "tune",
    "model",
    "augmentation",
    "imbalance",
    "evaluate",
    "compare",
)


class Settings(Section):
    """Everything that a run depends on, apart from the data."""

    source: str | None = Field(
        None,
        description="Folder, .zip, .tar or .tar.gz of UTKFace files, .csv or .parquet table of faces, gs:// URI of one "
        "of these, or 'synthetic' for made-up faces.",
    )
    variants: tuple[str, ...] = Field(
        ("baseline", "ins", "downsample", "denseweight_lmf"), min_length=1, description="Variants to train."
    )
    seeds: tuple[int, ...] = Field((42,), min_length=1, description="Every variant is trained once with each seed.")
    preprocess: PreprocessSettings = Field(default_factory=PreprocessSettings, description="Stage 1.")
    gates: GatesSettings = Field(default_factory=GatesSettings, description="Data against the champion's.")
    build_test_set: BuildTestSetSettings = Field(default_factory=BuildTestSetSettings, description="Stage 2.")
    split: SplitSettings = Field(default_factory=SplitSettings, description="Stage 3.")
    tune: TuneSettings = Field(default_factory=TuneSettings, description="Stage 4.")
    model: ModelSettings = Field(default_factory=ModelSettings, description="The network.")
    augmentation: AugmentationSettings = Field(default_factory=AugmentationSettings, description="Training images.")
    training: TrainingSettings = Field(default_factory=TrainingSettings, description="Stage 5.")
    imbalance: ImbalanceSettings = Field(default_factory=ImbalanceSettings, description="Parameters of the cures.")
    evaluate: EvaluateSettings = Field(default_factory=EvaluateSettings, description="Stage 6.")
    compare: CompareSettings = Field(default_factory=CompareSettings, description="Stage 7.")
    promotion: PromotionSettings = Field(default_factory=PromotionSettings, description="Stage 9, if wanted.")
    tracking: TrackingSettings = Field(default_factory=TrackingSettings, description="Stage 10, if wanted.")
    retrain: RetrainSettings = Field(default_factory=RetrainSettings, description="When a run is worth its while.")

    resources: ResourcesSettings = Field(
        default_factory=ResourcesSettings, description="What each stage is given on a cluster."
    )
    prices: Prices | None = Field(None, description="What machines cost, for an estimate; None for no sum.")
    platform: PlatformSettings = Field(default_factory=PlatformSettings, description="Where the pipeline runs.")
    hooks: HooksSettings = Field(default_factory=HooksSettings, description="Who is told of a failure or a promotion.")

    @model_validator(mode="after")
    def _runs_make_sense(self) -> Self:
        for name in self.variants:
            if name not in VARIANTS:
                raise SettingError(
                    f"Unknown variant '{name}'{did_you_mean(name, VARIANTS)}", remedy=f"choose {', '.join(VARIANTS)}"
                )
        for key, values in (("variants", self.variants), ("seeds", self.seeds)):
            if len(set(values)) < len(values):
                raise SettingError(
                    f"The setting {key} repeats a value: {', '.join(map(str, values))}", remedy="remove the repetition"
                )
        if any(seed < 0 for seed in self.seeds):
            raise SettingError(f"A seed is {min(self.seeds)}", remedy="use seeds of 0 or more")
        if self.compare.reference not in self.variants:
            raise SettingError(
                f"The setting compare.reference is '{self.compare.reference}', which is not among the variants "
                f"{', '.join(self.variants)}",
                remedy="add it to variants or name another reference",
            )
        if self.compare.ensembles and len(self.seeds) < 2:
            raise SettingError(
                "compare.ensembles averages the networks of several seeds, but the setting seeds has one",
                remedy="name more seeds, or leave compare.ensembles out",
            )
        if self.tune.fixed is None and self.tune.epochs <= self.training.warmup_epochs:
            raise SettingError(
                f"training.warmup_epochs is {self.training.warmup_epochs}, which leaves none of the {self.tune.epochs} "
                "epochs of a trial",
                remedy="lower it, or raise tune.epochs",
            )
        return self

    @model_validator(mode="after")
    def _outputs_are_there(self) -> Self:
        """Refuse what asks for an output that is switched off; what a default says of one means nothing."""
        outputs, policy = self.preprocess.outputs, self.promotion.policy
        for name in self.variants:
            variant = VARIANTS[name]
            if variant.cures and not variant.treating(outputs).cures:
                cures = ", ".join(f"{cure} for the {slot}" for slot, cure in variant.cures.items())
                raise SettingError(
                    f"The variant '{name}' has no cure but {cures}, which preprocess.outputs leaves out",
                    remedy=f"take {name} out of variants, or add {' and '.join(variant.cures)} to preprocess.outputs",
                )
        asked = {
            "compare.recommendation.primary_metric": self.compare.recommendation.primary_metric,
            "promotion.policy.primary_metric": policy.primary_metric,
        }
        if policy.floor.age_mae is not None:
            asked["promotion.policy.floor.age_mae"] = "age_mae"
        for key, metric in asked.items():
            if (output := CATALOGUE[metric].output) not in outputs:
                raise SettingError(
                    f"The setting {key} needs the {output}, which preprocess.outputs leaves out",
                    remedy=f"change it, or add {output} to preprocess.outputs",
                )
        return self

    @model_validator(mode="after")
    def _permutations_can_pass(self) -> Self:
        """Refuse so few permutations that no p-value survives the adjustment; several seeds need none."""
        if len(self.seeds) > 1:
            return self
        tested = switched_on(TESTED, self.preprocess.labels)
        changed = sum(metric.output == FOCUS.name for metric in tested.values())
        tests = (len(self.variants) - 1) * len(tested) + self.compare.posthoc.enabled * len(self.variants) * changed
        needed = math.ceil(tests / self.compare.recommendation.significance) - 1
        if self.compare.permutations < needed:
            raise SettingError(
                f"With {self.compare.permutations} permutations and up to {tests} tests nothing can be significant at "
                f"{self.compare.recommendation.significance:g}: the smallest p-value is "
                f"{tests / (self.compare.permutations + 1):.2g} after Holm's adjustment",
                remedy=f"set compare.permutations to {needed} or more",
            )
        return self

    @property
    def recipe(self) -> Recipe:
        """What tune and train follow."""
        return Recipe(
            model=self.model, training=self.training, augmentation=self.augmentation, imbalance=self.imbalance
        )

    def digest(self) -> str:
        """Return the SHA-256 of what determines the recommended model, apart from data and code.

        Where and with what resources the stages run is no part of it, nor are the gates, which train nothing.
        """
        training = self.training.model_copy(update={"tensorboard": None})
        sections = {name: getattr(self, name).to_parameter() for name in _DETERMINING}
        # How the report looks and what it is called trains nothing either.
        sections["compare"] = self.compare.model_copy(update={"report": ReportSettings()}).to_parameter()
        content = sections | {"training": training.to_parameter(), "runs": self.runs()}
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

    def runs(self) -> list[dict[str, Any]]:
        """Return one dict of ``variant`` and ``seed`` for every training run."""
        return [{"variant": variant, "seed": seed} for variant in self.variants for seed in self.seeds]

    def mlflow_uris(self) -> dict[str, str]:
        """Return the stages that ask an MLflow server, each with its address."""
        registry = mlflow_uri_of(self.promotion.registry)
        asked = {"promote": registry, "look_for_news": registry, "track": self.tracking.mlflow_uri}
        return {stage: uri for stage, uri in asked.items() if uri is not None}

    def tuned_variants(self) -> list[str]:
        """Return the variants whose hyperparameters are searched."""
        return list(self.variants) if self.tune.scope == "per_variant" else [self.compare.reference]


def presets() -> list[str]:
    """Return the names of the presets."""
    folder = resources.files("pipeline") / "presets"
    return sorted(Path(item.name).stem for item in folder.iterdir() if item.name.endswith(".yaml"))


def load_settings(
    preset: str = "demo", config: str | None = None, overrides: Sequence[str] = (), **direct: Any
) -> Settings:
    """Compose the settings: preset, then configuration file, then overrides, then direct values.

    Args:
        preset: Name of a preset.
        config: Path of a YAML file of the same shape as a preset.
        overrides: Each a ``section.key=value``, whose value is read as YAML.
        direct: Top-level values that override everything else; None is ignored.

    Raises:
        RequestError: For an unknown preset or key, a wrong type or an impossible combination, naming the
            key and the nearest valid one.
    """
    if preset not in presets():
        raise RequestError(
            f"Unknown preset '{preset}'{did_you_mean(preset, presets())}", remedy=f"choose {', '.join(presets())}"
        )
    tree = _read_yaml(resources.files("pipeline") / "presets" / f"{preset}.yaml", f"preset {preset}")
    _merge(tree, read_given(config, overrides))
    _merge(tree, {key: value for key, value in direct.items() if value is not None})
    try:
        return Settings.model_validate(tree)
    except ValidationError as error:
        raise _explain(error) from None


def read_given(config: str | None = None, overrides: Sequence[str] = ()) -> dict[str, Any]:
    """Return what a user gives on top of a preset: the configuration file, then the overrides.

    Args:
        config: As for :func:`load_settings`.
        overrides: As for :func:`load_settings`.

    Raises:
        RequestError: If the file does not exist, or if it or an override is not YAML.
    """
    tree: dict[str, Any] = {}
    if config is not None:
        if not Path(config).is_file():
            raise RequestError(f"The configuration file {config} does not exist", remedy="check --config")
        _merge(tree, _read_yaml(Path(config), config))
    for override in overrides:
        _merge(tree, _parse_override(override))
    return tree


def merge_trees(tree: dict[str, Any], update: dict[str, Any]) -> dict[str, Any]:
    """Return a tree of settings with those of another one in their places."""
    merged = copy.deepcopy(tree)
    _merge(merged, update)
    return merged


def _read_yaml(file: Any, name: str) -> dict[str, Any]:
    try:
        content = parse_yaml(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise RequestError(f"{name} can't be read ({error.strerror})", remedy="let this user read it") from None
    except (YamlError, UnicodeDecodeError) as error:
        raise RequestError(f"{name} is not YAML ({error})", remedy="correct it") from None
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise RequestError(f"{name} holds a {type(content).__name__}, not sections with keys", remedy="correct it")
    _check_keys(content, name)
    return content


def _check_keys(tree: Any, name: str) -> None:
    """Refuse keys that are no text, which no setting has: YAML reads an unquoted yes, 1 or 2026-01-31 as such."""
    if isinstance(tree, dict):
        for key, value in tree.items():
            if not isinstance(key, str):
                raise RequestError(f"{name} has the key {_shown(key)}, which no setting has", remedy="correct it")
            _check_keys(value, name)
    elif isinstance(tree, list):
        for item in tree:
            _check_keys(item, name)


def _parse_override(override: str) -> dict[str, Any]:
    path, equals, text = override.partition("=")
    if not equals or not all(path.split(".")):
        raise RequestError(f"--set {_cut(override)} has no key and value", remedy="write --set section.key=value")
    try:
        value = parse_yaml(text)
    except YamlError as error:
        raise RequestError(
            f"--set {_cut(override)}: the value is not YAML ({_cut(str(error))})", remedy="quote it"
        ) from None
    _check_keys(value, f"--set {_cut(override)}")
    # YAML 1.1 reads 1e-3 as text; whoever types it means the number.
    if isinstance(value, str) and "e" in value.lower():
        with contextlib.suppress(ValueError):
            value = float(value)
    first, *rest = path.split(".")
    for key in reversed(rest):
        value = {key: value}
    return {first: value}


def _merge(tree: dict[str, Any], update: dict[str, Any], *location: str) -> None:
    for key, value in update.items():
        # An empty section changes nothing; an empty mapping that is a value of its own says none.
        is_section = bool(value) or bool(_keys_of([*location, key]))
        if isinstance(value, dict) and isinstance(tree.get(key), dict) and is_section:
            _merge(tree[key], value, *location, key)
        else:
            tree[key] = value


def _explain(error: ValidationError) -> RequestError:
    """Put a validation error into one sentence that names the key and the remedy."""
    problem, *others = error.errors()
    location = [str(part) for part in problem["loc"]]
    key = _cut(".".join(location))
    more = f" (and {len(others)} more)" if others else ""
    if problem["type"] == "extra_forbidden":
        known = _keys_of(location[:-1])
        inside = problem["input"] if isinstance(problem["input"], dict) else {}
        owners = [name for name in known if inside and set(inside) <= set(_keys_of([*location[:-1], name]))]
        nearest = did_you_mean(location[-1], owners or known)
        return RequestError(f"Unknown setting '{key}'{nearest}{more}", remedy=f"choose {', '.join(known)}")
    refused = problem.get("ctx", {}).get("error")
    if isinstance(refused, SettingError):
        return RequestError((f"Setting {key}: " if key else "") + refused.problem + more, remedy=refused.remedy)
    message = problem["msg"]
    return RequestError(
        f"Setting '{key}' can't be {_shown(problem['input'])}{more}", remedy=message[0].lower() + message[1:]
    )


def _shown(value: Any) -> str:
    """Return a value as Python writes it, cut where it is long."""
    try:
        return _cut(repr(value))
    except ValueError:  # Python writes no whole number of more than 4,300 digits.
        return "a number of thousands of digits"


def _cut(text: str) -> str:
    return text if len(text) <= _SHOWN_CHARACTERS else text[:_SHOWN_CHARACTERS] + "…"


def _keys_of(location: list[str]) -> list[str]:
    """Return the keys of the section at a place in the tree."""
    fields = Settings.model_fields
    for part in location:
        fields = getattr(fields[part].annotation, "model_fields", {}) if part in fields else {}
    return list(fields)
