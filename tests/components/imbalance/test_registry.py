"""The one list of cures and variants, and their settings."""

import importlib
import json
import pkgutil
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from components import imbalance
from components.dataset.manifest import Manifest
from components.errors import RequestError
from components.imbalance.registry import SLOTS, VARIANTS, find_variant, load_cure
from components.imbalance.settings import ImbalanceSettings, list_variants

CONTRIBUTED = '''"""A cure with a parameter of its own."""

import numpy as np
from pydantic import Field

from components.dataset.outputs import Kind
from components.imbalance.treatment import Treatment
from components.section import Section

TREATS = (Kind.BINARY, Kind.CATEGORICAL)


class Settings(Section):
    """Weights of a power of the counts."""

    power: float = Field(default=0.5, ge=0, description="Exponent.")


def treat(faces, output, settings):
    """Weigh each face by a power of its class's count."""
    return Treatment(weights=faces.normalise(faces.counts(output)[faces.groups(output)] ** -settings.power))
'''

TRIAL = """
import json
from components.dataset.age_scale import AgeScale
from components.dataset.manifest import Manifest
from components.imbalance.plan import prepare
from components.imbalance.registry import find_variant
from components.imbalance.settings import list_variants
from pipeline.settings import load_settings

settings = load_settings("poc", overrides=["variants=[baseline, powered]", "imbalance.power_weights.power=1.0"])
plan = prepare(find_variant("powered"), settings.recipe.imbalance, Manifest.read("train.parquet"), AgeScale())
print(json.dumps([plan.statistics.model_dump(), list_variants()[0]]))
"""


def test_importing_the_settings_imports_nothing_heavy() -> None:
    program = (
        "import sys, pipeline.settings; "
        "print([name for name in ('keras', 'tensorflow', 'jax', 'pandas', 'scipy') if name in sys.modules])"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ended.stdout.strip() == "[]"


def test_a_cure_with_a_parameter_is_one_file_and_one_entry(
    project: Path, tmp_path: Path, make_faces: Callable[..., Manifest]
) -> None:
    make_faces().write(tmp_path / "train.parquet")
    for package in ("components", "pipeline"):
        shutil.copytree(project / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    package = tmp_path / "components" / "imbalance"
    (package / "power_weights.py").write_text(CONTRIBUTED)
    entry = 'Variant("powered", "Powered", "test", {"ethnicity": "power_weights"}),'
    registry = (package / "registry.py").read_text()
    (package / "registry.py").write_text(registry.replace("for variant in (\n", f"for variant in (\n{entry}\n", 1))
    ended = subprocess.run([sys.executable, "-c", TRIAL], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    statistics, row = json.loads(ended.stdout)
    assert statistics["parameters"] == {"power_weights.power": 1.0}
    weights = statistics["treatments"]["ethnicity"]["weights"]
    counts = statistics["counts"]["ethnicity"].values()
    assert weights["max"] / weights["min"] == pytest.approx(max(counts) / min(counts))
    assert (row["name"], row["settings"]) == ("powered", "power_weights.power=0.5")


def test_every_variant_names_cures_that_exist_and_valid_overrides() -> None:
    for variant in VARIANTS.values():
        assert set(variant.cures) <= set(SLOTS)
        ImbalanceSettings().with_overrides(variant.overrides)
        for slot in SLOTS:
            assert all(load_cure(slot, name) for name in variant.cure_names(slot))


def test_every_cure_has_a_proof() -> None:
    tests = Path(__file__).parents[1]
    proofs = [path for path in tests.rglob("*") if path.suffix in (".py", ".json") and path != Path(__file__)]
    text = "\n".join(path.read_text(encoding="utf-8") for path in proofs)
    cures = {name for variant in VARIANTS.values() for slot in SLOTS for name in variant.cure_names(slot)}
    unproven = sorted(name for name in cures if not re.search(rf"\b{name}\b", text))
    assert unproven == [], (
        f"no test names the cure {', '.join(unproven)}: test it against a closed form, or against numbers from its "
        "authors' code, in tests/components/imbalance (docs/extending.md)"
    )


def test_every_cure_is_used_by_a_variant() -> None:
    cures = {name for variant in VARIANTS.values() for slot in SLOTS for name in variant.cure_names(slot)}
    modules = {
        module.name: importlib.import_module(f"{imbalance.__name__}.{module.name}")
        for module in pkgutil.iter_modules(imbalance.__path__)
    }
    assert cures == {name for name, module in modules.items() if {"treat", "resample"} & set(vars(module))}


def test_an_unknown_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(RequestError, match=r"no variant 'logit-adjusted' \(did you mean 'logit_adjusted'\?\)"):
        find_variant("logit-adjusted")
    with pytest.raises(
        RequestError, match=r"no age cure 'ldam' .*: use one of balanced_mse, .*denseweight, dldl, fds, ins, lds"
    ):
        load_cure("age", "ldam")
    with pytest.raises(RequestError, match=r"no resampling cure 'downsampling' \(did you mean 'downsample'\?\)"):
        load_cure("resampling", "downsampling")


def test_the_list_shows_the_values_of_the_proof_of_concept() -> None:
    rows = {row["name"]: row for row in list_variants()}
    assert rows["denseweight_lmf"]["settings"].startswith("denseweight.alpha=0.25, ")
    assert "lmf.alpha=2.5, lmf.beta=0.05, lmf.gamma=4.0" in rows["denseweight_lmf"]["settings"]
    assert rows["ldam_drw"]["ethnicity"] == "ldam + drw"
    assert rows["ldam_drw"]["age"] == "none"


def test_the_overrides_of_a_variant_win_over_a_users_settings() -> None:
    settings = ImbalanceSettings().with_overrides({"denseweight.alpha": 0.5})
    assert settings.of_variant(find_variant("denseweight"))["denseweight.alpha"] == 0.5
    assert settings.of_variant(find_variant("denseweight_full"))["denseweight.alpha"] == 1.0


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
