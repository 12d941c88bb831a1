"""The one list of variants; importing it imports nothing heavy.

A variant is an entry of :data:`VARIANTS` that names its cures. A cure is the file of its name in this
package, with a function for what it cures:

- of the age, ``treat_age(faces: TrainingFaces, output: str, settings: ImbalanceSettings) -> Treatment``;
- of gender or ethnicity, ``treat_class`` with the same arguments;
- a resampling, ``resample(train: Manifest, settings: ImbalanceSettings) -> Resampling``.

A cure's parameters, if it has any, are a section of its own name in
:class:`~components.imbalance.settings.ImbalanceSettings`.
"""

import difflib
import importlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from components.errors import RequestError
from components.imbalance.settings import ImbalanceSettings

KINDS: Mapping[str, str] = {
    "age": "treat_age",
    "gender": "treat_class",
    "ethnicity": "treat_class",
    "resampling": "resample",
}
"""What a variant names a cure for, the three outputs and the choice of the training faces, each with the
function that a cure's file has for it."""


@dataclass(frozen=True)
class Variant:
    """A way to train: one cure per output and a resampling.

    An output may have several cures joined by ``+``, of which one at most sets the loss:
    ``"ldam+drw"`` is the LDAM loss with deferred re-weighting.

    Attributes:
        name: Key in settings, file names and results.
        title: Name for people.
        source: Where the method comes from.
        age: Cure of the age output.
        gender: Cure of the gender output.
        ethnicity: Cure of the ethnicity output.
        resampling: Choice of the training faces.
        overrides: Values that make this variant what it is, by ``"section.key"``; they win over the
            settings, so that two variants can use one cure with two strengths.
    """

    name: str
    title: str
    source: str
    age: str = "none"
    gender: str = "none"
    ethnicity: str = "none"
    resampling: str = "none"
    overrides: Mapping[str, float | bool | str] = field(default_factory=dict, hash=False)

    def cures(self, kind: str) -> tuple[str, ...]:
        """Return the names of the cures of one of :data:`KINDS`."""
        return tuple(str(getattr(self, kind)).split("+"))

    def parameters(self, settings: ImbalanceSettings) -> dict[str, Any]:
        """Return the parameters of this variant's cures, by ``"section.key"``."""
        sections = settings.with_overrides(self.overrides).model_dump()
        names = dict.fromkeys(name for kind in KINDS for name in self.cures(kind))
        return {f"{name}.{key}": value for name in names for key, value in sections.get(name, {}).items()}


_DECK = "slide deck"
_MENON = "Menon et al. 2021 (arXiv 2007.07314)"
_STEININGER = "Steininger et al. 2021 (doi 10.1007/s10994-021-06023-5)"
_CAO = "Cao et al. 2019 (arXiv 1906.07413)"
_SADI = "Sadi et al. 2022 (arXiv 2212.12741)"
_DECK_LMF = f"{_SADI}, with the slide deck's coefficients and scale 1"

VARIANTS: Mapping[str, Variant] = {
    variant.name: variant
    for variant in (
        Variant("baseline", "Baseline", f"{_DECK}: no cure"),
        Variant(
            "ins",
            "Inverse number of samples",
            f"{_DECK}: each face weighs 1 / (faces of its group), per output",
            age="ins",
            gender="ins",
            ethnicity="ins",
        ),
        Variant(
            "downsample",
            "Down-sampled majority",
            f"{_DECK}: half of the majority ethnicity class removed",
            resampling="downsample",
        ),
        Variant(
            "denseweight_lmf",
            "DenseWeight + LMF",
            f"{_DECK}; {_STEININGER}; {_SADI}",
            age="denseweight",
            ethnicity="lmf",
        ),
        Variant(
            "logit_adjusted",
            "Full DenseWeight + logit adjustment",
            f"{_MENON}; balanced softmax (tau 1): Ren et al. 2020 (arXiv 2007.10740); {_STEININGER}",
            age="denseweight",
            ethnicity="logit_adjusted",
            overrides={"denseweight.alpha": 1.0},
        ),
        Variant("logit_adjusted_only", "Logit adjustment", _MENON, ethnicity="logit_adjusted"),
        Variant("denseweight", "DenseWeight", _STEININGER, age="denseweight"),
        Variant(
            "denseweight_full",
            "DenseWeight at full strength",
            _STEININGER,
            age="denseweight",
            overrides={"denseweight.alpha": 1.0},
        ),
        Variant("lds", "Label distribution smoothing", "Yang et al. 2021 (arXiv 2102.09554)", age="lds"),
        Variant("balanced_mse", "Balanced MSE", "Ren et al. 2022 (arXiv 2203.16427), BMC", age="balanced_mse"),
        Variant("lmf", "LMF", _DECK_LMF, ethnicity="lmf"),
        Variant(
            "lmf_weighted",
            "LMF, class-weighted",
            f"{_DECK_LMF}; weighted as in the authors' code",
            ethnicity="lmf",
            overrides={"lmf.class_weighted": True},
        ),
        Variant(
            "lmf_without_focal",
            "LMF without its focal part",
            f"ablation of LMF: LDAM at LMF's weight; {_DECK_LMF}",
            ethnicity="lmf",
            overrides={"lmf.beta": 0.0},
        ),
        Variant("ldam", "LDAM", f"{_CAO}, scale 1 on a plain head", ethnicity="ldam"),
        Variant("focal", "Focal loss", "Lin et al. 2017 (arXiv 1708.02002)", ethnicity="focal"),
        Variant(
            "class_balanced",
            "Class-balanced weights",
            "Cui et al. 2019 (arXiv 1901.05555)",
            ethnicity="class_balanced",
        ),
        Variant("drw", "Deferred re-weighting", _CAO, ethnicity="drw"),
        Variant("ldam_drw", "LDAM + deferred re-weighting", _CAO, ethnicity="ldam+drw"),
        Variant(
            "cell_balanced",
            "Cell-balanced sampling",
            "class-aware sampling (Shen et al. 2016, arXiv 1512.05830) over gender × ethnicity × age bin",
            resampling="cell_balanced",
        ),
    )
}
"""Every variant by name, the deck's four first."""


def find_variant(name: str) -> Variant:
    """Return a variant.

    Raises:
        RequestError: If there is none of this name; names the nearest.
    """
    if name not in VARIANTS:
        raise RequestError(f"There is no variant '{name}'", remedy=f"{_suggestion(name, VARIANTS)}")
    return VARIANTS[name]


def load_cure(kind: str, name: str) -> Callable[..., Any]:
    """Import a cure's function.

    Args:
        kind: One of :data:`KINDS`.
        name: Name of the cure: of its file in this package.

    Raises:
        RequestError: If no cure of this name cures the kind; names the nearest that does.
    """
    path = f"{__package__}.{name}"
    try:
        cure: Callable[..., Any] | None = getattr(importlib.import_module(path), KINDS[kind], None)
    except ModuleNotFoundError as error:
        if error.name != path:
            raise
        cure = None
    if cure is None:
        known = sorted({used for variant in VARIANTS.values() for used in variant.cures(kind)})
        raise RequestError(f"There is no {kind} cure '{name}'", remedy=f"{_suggestion(name, known)}")
    return cure


def list_variants(settings: ImbalanceSettings | None = None) -> list[dict[str, str]]:
    """Return a table of the variants: name, title, a cure per kind, settings and source.

    Args:
        settings: Parameters of the cures. Default: the deck's.
    """
    settings = settings or ImbalanceSettings()
    return [
        {
            "name": variant.name,
            "title": variant.title,
            **{kind: " + ".join(variant.cures(kind)) for kind in KINDS},
            "settings": ", ".join(f"{key}={value}" for key, value in variant.parameters(settings).items()),
            "source": variant.source,
        }
        for variant in VARIANTS.values()
    ]


def _suggestion(name: str, known: Iterable[str]) -> str:
    nearest = difflib.get_close_matches(name, known, n=1)
    return f"did you mean '{nearest[0]}'?" if nearest else f"use one of {', '.join(known)}"
