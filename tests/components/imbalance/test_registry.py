"""The one list of cures and variants."""

import importlib
import pkgutil
import subprocess
import sys

import pytest

from components import imbalance
from components.errors import RequestError
from components.imbalance.registry import KINDS, VARIANTS, find_variant, list_variants, load_cure
from components.imbalance.settings import ImbalanceSettings


def test_listing_variants_imports_nothing_heavy() -> None:
    program = (
        "import sys; from components.imbalance.registry import list_variants; assert list_variants(); "
        "print([name for name in ('keras', 'tensorflow', 'jax', 'numpy', 'pandas', 'scipy') if name in sys.modules])"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ended.stdout.strip() == "[]"


def test_every_variant_names_cures_that_exist_and_valid_overrides() -> None:
    for variant in VARIANTS.values():
        ImbalanceSettings().with_overrides(variant.overrides)
        for kind in KINDS:
            assert all(callable(load_cure(kind, name)) for name in variant.cures(kind))


def test_every_cure_is_used_by_a_variant() -> None:
    modules = {module.name for module in pkgutil.iter_modules(imbalance.__path__)}
    cures = {
        name
        for name in modules
        if set(KINDS.values()) & set(vars(importlib.import_module(f"{imbalance.__name__}.{name}")))
    }
    assert cures == {name for variant in VARIANTS.values() for kind in KINDS for name in variant.cures(kind)}


def test_an_unknown_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(RequestError, match=r"no variant 'logit-adjusted': did you mean 'logit_adjusted'\?"):
        find_variant("logit-adjusted")
    with pytest.raises(RequestError, match=r"no age cure 'ldam': use one of balanced_mse, denseweight, ins, lds, none"):
        load_cure("age", "ldam")
    with pytest.raises(RequestError, match=r"no resampling cure 'downsampling': did you mean 'downsample'\?"):
        load_cure("resampling", "downsampling")


def test_the_list_shows_the_decks_values_and_a_users_settings() -> None:
    rows = {row["name"]: row for row in list_variants()}
    assert rows["denseweight_lmf"]["settings"].startswith("denseweight.alpha=0.25, ")
    assert "lmf.alpha=2.5, lmf.beta=0.05, lmf.gamma=4.0" in rows["denseweight_lmf"]["settings"]
    assert rows["ldam_drw"]["ethnicity"] == "ldam + drw"
    changed = ImbalanceSettings().with_overrides({"denseweight.alpha": 0.5})
    rows = {row["name"]: row for row in list_variants(changed)}
    assert "denseweight.alpha=0.5" in rows["denseweight"]["settings"]
    assert "denseweight.alpha=1.0" in rows["denseweight_full"]["settings"]


def test_settings_survive_a_kfp_parameter() -> None:
    settings = ImbalanceSettings().with_overrides({"downsample.seed": 7, "lmf.class_weighted": True})
    as_floats = {
        section: {key: float(value) if type(value) is int else value for key, value in values.items()}
        for section, values in settings.to_parameter().items()
    }
    assert ImbalanceSettings.from_parameter(as_floats) == settings


@pytest.mark.parametrize(
    "overrides",
    [
        {"lds.kernel_size": 4},
        {"lmf.class_weighted": True, "lmf.max_margin": 0.0},
        {"drw.fraction": 1.0},
        {"class_balanced.beta": 1.0},
        {"focal.gama": 2.0},
    ],
    ids=str,
)
def test_impossible_settings_are_refused(overrides: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(reversed(overrides)).partition(".")[0]):
        ImbalanceSettings().with_overrides(overrides)
