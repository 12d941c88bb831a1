"""The one list of variants; importing it imports no cure.

A variant is an entry of :data:`VARIANTS` that names its cures. A cure is the module of that name in this package:

- ``TREATS`` and ``treat(faces: TrainingFaces, output: Output, settings: Settings) -> Treatment`` where it cures
  outputs: the kinds of output that it can treat, and what it does to one;
- ``resample(train: Manifest, settings: Settings) -> Resampling`` where it chooses the training faces;
- ``class Settings(Section)`` where it has parameters, which are then the section of its name in
  :class:`~components.imbalance.settings.ImbalanceSettings`; a cure without parameters gets None for its settings.

The module is imported with the settings, so its functions import what is slow to import (Keras, pandas, SciPy).
"""

import importlib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import ModuleType
from typing import Self

from components.dataset.outputs import OUTPUTS
from components.errors import RequestError
from components.suggestion import did_you_mean

SLOTS = (*OUTPUTS, "resampling")
"""What a variant can name a cure for: each output, and the choice of the training faces."""


@dataclass(frozen=True)
class Variant:
    """A way to train: a cure for each output and a resampling, or none.

    An output may have several cures joined by ``+``, of which at most one sets the loss:
    ``"ldam+drw"`` is the LDAM loss with deferred re-weighting.

    Attributes:
        name: Key in settings, file names and results.
        title: Display name.
        source: Where the method comes from.
        cures: Cure by slot, one of :data:`SLOTS`. Without one, an output keeps its plain loss, and every face is
            seen once per epoch.
        overrides: Values that make this variant what it is, by ``"section.key"``; they win over the
            settings, so that two variants can use one cure with two strengths.
    """

    name: str
    title: str
    source: str
    cures: Mapping[str, str] = field(default_factory=dict, hash=False)
    overrides: Mapping[str, float | bool | str] = field(default_factory=dict, hash=False)

    def cure(self, slot: str) -> str:
        """Return the cure of a slot as text, such as ``"ldam+drw"`` or ``"none"``."""
        return self.cures.get(slot, "none")

    def cure_names(self, slot: str) -> tuple[str, ...]:
        """Return the name of each cure of a slot."""
        return tuple(self.cures[slot].split("+")) if slot in self.cures else ()

    def treating(self, outputs: Collection[str]) -> Self:
        """Return the variant with the cures of some outputs alone, and the values that make these what they are."""
        cures = {slot: cure for slot, cure in self.cures.items() if slot in outputs or slot not in OUTPUTS}
        left = {name for cure in cures.values() for name in cure.split("+")}
        overrides = {path: value for path, value in self.overrides.items() if path.partition(".")[0] in left}
        return replace(self, cures=cures, overrides=overrides)


_CAO = "Cao et al. 2019 (arXiv 1906.07413)"
_CORAL = "Cao, Mirjalili and Raschka 2020 (arXiv 1901.07884)"
_CUI = "Cui et al. 2019 (arXiv 1901.05555)"
_GALDRAN = "Balanced-MixUp: Galdran et al. 2021 (arXiv 2109.09850)"
_GAO = "DLDL-v2: Gao et al. 2018 (doi 10.24963/ijcai.2018/99)"
_GONG = "Gong et al. 2022 (arXiv 2205.15236)"
_KANG = "Kang et al. 2020 (arXiv 1910.09217)"
_KINI = "Kini et al. 2021 (arXiv 2103.01550)"
_LIN = "Lin et al. 2017 (arXiv 1708.02002)"
_MAHAJAN = "square-root sampling (Mahajan et al. 2018, arXiv 1805.00932) over gender × ethnicity × age bin"
_MENON = "Menon et al. 2021 (arXiv 2007.07314)"
_PAN = "Pan et al. 2018 (doi 10.1109/CVPR.2018.00554)"
_PARK = "CMO: Park et al. 2022 (arXiv 2112.00412)"
_REN = "Ren et al. 2022 (arXiv 2203.16427)"
_SADI = "Sadi et al. 2022 (arXiv 2212.12741)"
_SAGAWA = "Sagawa et al. 2020 (arXiv 1911.08731)"
_SHEN = "class-aware sampling (Shen et al. 2016, arXiv 1512.05830) over gender × ethnicity × age bin"
_SOFTMAX = "balanced softmax (tau 1): Ren et al. 2020 (arXiv 2007.10740)"
_STEININGER = "Steininger et al. 2021 (doi 10.1007/s10994-021-06023-5)"
_YANG = "Yang et al. 2021 (arXiv 2102.09554)"
_POC = "proof of concept"
_POC_INS = f"{_POC}: each face weighs 1 / (faces of its group), per output"
_POC_DOWNSAMPLE = f"{_POC}: half of the majority ethnicity class removed"
_POC_LMF = f"{_SADI}, with the coefficients of the proof of concept and scale 1"
_LMF_WEIGHTED = f"{_POC_LMF}; weighted as in the authors' code"
_LMF_ABLATION = f"ablation of LMF: LDAM at LMF's weight; {_POC_LMF}"

_CAPPED = f"{_SHEN}, no face more than 8 times an epoch"

_FULL = {"denseweight.alpha": 1.0}
_SQUARE_ROOT = {"cell_balanced.power": 0.5}
_CAP = {"cell_balanced.most_draws": 8.0}

VARIANTS: Mapping[str, Variant] = {
    variant.name: variant
    for variant in (
        Variant("baseline", "Baseline", f"{_POC}: no cure"),
        Variant("ins", "Inverse number of samples", _POC_INS, dict.fromkeys(OUTPUTS, "ins")),
        Variant("downsample", "Down-sampled majority", _POC_DOWNSAMPLE, {"resampling": "downsample"}),
        Variant(
            "denseweight_lmf",
            "DenseWeight + LMF",
            f"{_POC}; {_STEININGER}; {_SADI}",
            {"age": "denseweight", "ethnicity": "lmf"},
        ),
        Variant(
            "logit_adjusted",
            "Full DenseWeight + logit adjustment",
            f"{_MENON}; {_SOFTMAX}; {_STEININGER}",
            {"age": "denseweight", "ethnicity": "logit_adjusted"},
            _FULL,
        ),
        Variant("logit_adjusted_only", "Logit adjustment", _MENON, {"ethnicity": "logit_adjusted"}),
        Variant("denseweight", "DenseWeight", _STEININGER, {"age": "denseweight"}),
        Variant("denseweight_full", "DenseWeight at full strength", _STEININGER, {"age": "denseweight"}, _FULL),
        Variant("lds", "Label distribution smoothing", _YANG, {"age": "lds"}),
        Variant("fds", "Feature distribution smoothing", f"{_YANG}, FDS", {"age": "fds"}),
        Variant("lds_fds", "Label and feature distribution smoothing", f"{_YANG}, LDS + FDS", {"age": "lds+fds"}),
        Variant("balanced_mse", "Balanced MSE", f"{_REN}, BMC", {"age": "balanced_mse"}),
        Variant("balanced_mse_gai", "Balanced MSE, Gaussian mixture", f"{_REN}, GAI", {"age": "balanced_mse_gai"}),
        Variant("balanced_mse_bni", "Balanced MSE, age bins", f"{_REN}, BNI", {"age": "balanced_mse_bni"}),
        Variant("dldl", "Age distribution", _GAO, {"age": "dldl"}),
        Variant(
            "dldl_balanced",
            "Age distribution, logit-adjusted",
            f"{_GAO}, adjusted by the training shares of the ages as in {_MENON}",
            {"age": "dldl"},
            {"dldl.tau": 1.0},
        ),
        Variant(
            "dldl_weighted",
            "Age distribution + full DenseWeight",
            f"{_GAO}; {_STEININGER}",
            {"age": "dldl+denseweight"},
            _FULL,
        ),
        Variant("mean_variance", "Mean-variance loss", _PAN, {"age": "mean_variance"}),
        Variant("ranksim", "Ranking similarity", _GONG, {"age": "ranksim"}),
        Variant("coral", "Ordinal regression of the age", _CORAL, {"age": "coral"}),
        Variant("lmf", "LMF", _POC_LMF, {"ethnicity": "lmf"}),
        Variant(
            "lmf_weighted", "LMF, class-weighted", _LMF_WEIGHTED, {"ethnicity": "lmf"}, {"lmf.class_weighted": True}
        ),
        Variant(
            "lmf_without_focal", "LMF without its focal part", _LMF_ABLATION, {"ethnicity": "lmf"}, {"lmf.beta": 0.0}
        ),
        Variant("ldam", "LDAM", f"{_CAO}, scale 1 on a plain head", {"ethnicity": "ldam"}),
        Variant("focal", "Focal loss", _LIN, {"ethnicity": "focal"}),
        Variant("class_balanced", "Class-balanced weights", _CUI, {"ethnicity": "class_balanced"}),
        Variant("drw", "Deferred re-weighting", _CAO, {"ethnicity": "drw"}),
        Variant("ldam_drw", "LDAM + deferred re-weighting", _CAO, {"ethnicity": "ldam+drw"}),
        Variant(
            "ldam_cosine",
            "LDAM + deferred re-weighting, normalised head",
            f"{_CAO}, scale 30 on the normalised head",
            {"ethnicity": "ldam+drw"},
            {"ldam.head": "cosine", "ldam.scale": 30.0, "ldam.loss_factor": 0.1},
        ),
        Variant(
            "lmf_cosine",
            "LMF, normalised head",
            f"{_SADI}, scale 30, on the normalised head of {_CAO}",
            {"ethnicity": "lmf"},
            {"lmf.head": "cosine", "lmf.scale": 30.0, "lmf.loss_factor": 0.1},
        ),
        Variant("vs", "VS loss", _KINI, {"ethnicity": "vs"}),
        Variant("tau_norm", "Normalised class weights", f"{_KANG}, tau-normalisation", {"ethnicity": "tau_norm"}),
        Variant("crt", "Classifier re-training", f"{_KANG}, cRT", {"resampling": "crt"}, {"crt.balance": "class"}),
        Variant("crt_cell", "Classifier re-training by cell", f"{_KANG}, cRT, over cells", {"resampling": "crt"}),
        Variant("cell_balanced", "Cell-balanced sampling", _SHEN, {"resampling": "cell_balanced"}),
        Variant("group_dro", "Group DRO over cells", _SAGAWA, {"resampling": "group_dro"}),
        Variant("cmo", "Minority faces pasted into others", _PARK, {"resampling": "cmo"}),
        Variant("minority_mixup", "Mixup with minority faces", _GALDRAN, {"resampling": "minority_mixup"}),
        Variant("cell_sqrt", "Square-root cell sampling", _MAHAJAN, {"resampling": "cell_balanced"}, _SQUARE_ROOT),
        Variant("cell_capped", "Capped cell sampling", _CAPPED, {"resampling": "cell_balanced"}, _CAP),
        Variant(
            "cell_sqrt_logit",
            "Square-root cell sampling + logit adjustment",
            f"{_MAHAJAN}; {_MENON}",
            {"resampling": "cell_balanced", "ethnicity": "logit_adjusted"},
            _SQUARE_ROOT,
        ),
        Variant(
            "cell_capped_logit",
            "Capped cell sampling + logit adjustment",
            f"{_CAPPED}; {_MENON}",
            {"resampling": "cell_balanced", "ethnicity": "logit_adjusted"},
            _CAP,
        ),
        Variant(
            "cell_sqrt_logit_denseweight",
            "Square-root cell sampling + logit adjustment + full DenseWeight",
            f"{_MAHAJAN}; {_MENON}; {_STEININGER}",
            {"resampling": "cell_balanced", "age": "denseweight", "ethnicity": "logit_adjusted"},
            {**_SQUARE_ROOT, **_FULL},
        ),
        Variant(
            "cell_sqrt_logit_lds",
            "Square-root cell sampling + logit adjustment + label distribution smoothing",
            f"{_MAHAJAN}; {_MENON}; {_YANG}",
            {"resampling": "cell_balanced", "age": "lds", "ethnicity": "logit_adjusted"},
            _SQUARE_ROOT,
        ),
        Variant(
            "cell_sqrt_logit_dldl",
            "Square-root cell sampling + logit adjustment + age distribution, logit-adjusted",
            f"{_MAHAJAN}; {_MENON}; {_GAO}",
            {"resampling": "cell_balanced", "age": "dldl", "ethnicity": "logit_adjusted"},
            {**_SQUARE_ROOT, "dldl.tau": 1.0},
        ),
        Variant(
            "cell_capped_logit_lds",
            "Capped cell sampling + logit adjustment + label distribution smoothing",
            f"{_CAPPED}; {_MENON}; {_YANG}",
            {"resampling": "cell_balanced", "age": "lds", "ethnicity": "logit_adjusted"},
            _CAP,
        ),
    )
}
"""Every variant by name, the four of the proof of concept first."""


def find_variant(name: str) -> Variant:
    """Return a variant.

    Raises:
        RequestError: If there is no variant of this name; suggests the closest name.
    """
    if name not in VARIANTS:
        raise _unknown(f"variant '{name}'", name, VARIANTS)
    return VARIANTS[name]


def load_cure(slot: str, name: str) -> ModuleType:
    """Import the module of a cure for one of :data:`SLOTS`.

    Raises:
        RequestError: If the slot has no cure of this name; suggests the closest name.
    """
    path = f"{__package__}.{name}"
    try:
        module = importlib.import_module(path)
    except ModuleNotFoundError as error:
        if error.name != path:
            raise
    else:
        if _cures(module, slot):
            return module
    known = sorted({used for variant in VARIANTS.values() for used in variant.cure_names(slot)})
    raise _unknown(f"{slot} cure '{name}'", name, known)


def _unknown(what: str, name: str, known: Iterable[str]) -> RequestError:
    return RequestError(f"There is no {what}{did_you_mean(name, known)}", remedy=f"use one of {', '.join(known)}")


def _cures(module: ModuleType, slot: str) -> bool:
    if slot == "resampling":
        return hasattr(module, "resample")
    return OUTPUTS[slot].kind in getattr(module, "TREATS", ())
