"""What the gates say of two data sets, given as profiles."""

import numpy as np
import pytest

from components.compare.report.render import render, summarise
from components.dataset.labels import ETHNICITIES, GENDERS, Labels
from components.dataset.profile import STATISTICS, Histogram, Profile
from components.errors import DataError
from components.gates.gates import check_data, compare_profiles
from components.gates.settings import GatesSettings
from tests.components.compare.comparisons import make_comparison

LABELS = Labels()
SHARES = (0.5, 0.2, 0.1, 0.2)


def make_profile(faces=20_000, seed=0, shares=SHARES, brightness=120, side=200, faults=0, other=0, labels=LABELS):
    """Return the profile of faces whose labels and pictures are drawn."""
    rng = np.random.default_rng(seed)
    race, gender = rng.choice(len(shares), faces, p=shares), rng.integers(0, 2, faces)
    ages = rng.integers(1, 81, faces)
    cells = labels.cells({"gender": gender, "ethnicity": race, "age_bin": labels.age_bin(ages)})
    classes = {
        "gender": dict(zip(GENDERS, np.bincount(gender).tolist(), strict=True)),
        "ethnicity": dict(zip(labels.ethnicities, np.bincount(race, minlength=4).tolist(), strict=True)),
    }
    source = {
        "gender": classes["gender"] | {"unknown": 0},
        "ethnicity": dict.fromkeys(ETHNICITIES, 0) | classes["ethnicity"] | {"Other": other, "unknown": 0},
    }
    drawn = {
        "brightness": rng.normal(brightness, 20, faces),
        "sharpness": rng.lognormal(3, 0.3, faces),
        "side": np.full(faces, side),
        "bits_per_pixel": rng.lognormal(0, 0.3, faces),
    }
    return Profile(
        fingerprint=f"data {seed}", labels=labels, candidates=faces + faults + other, faults=faults, copies=faces // 50,
        source_classes=source, classes=classes, ages=Histogram.of(ages, np.arange(1.0, 82)),
        cells={labels.cell_name(cell): int(count) for cell, count in enumerate(np.bincount(cells)) if count},
        images={name: Histogram.of(drawn[name], edges) for name, edges in STATISTICS.items()},
    )  # fmt: skip


def failed(reference, new, **settings):
    found = compare_profiles(reference, new, GatesSettings(**settings))
    return {(finding.gate, finding.subject) for finding in found.failed}


@pytest.mark.parametrize("faces", [300, 2_000, 20_000])
def test_another_draw_from_the_same_population_passes_whatever_its_size(faces):
    for seed in range(1, 6):
        assert failed(make_profile(), make_profile(faces, seed)) == set()


def test_a_difference_that_is_certain_but_small_passes():
    slightly = make_profile(seed=1, shares=(0.46, 0.22, 0.1, 0.22), brightness=123)
    found = compare_profiles(make_profile(), slightly, GatesSettings())
    certain = {finding.subject for finding in found.findings if (finding.p or 0) < 0.001 and finding.test}
    assert {"ethnicity", "brightness"} <= certain
    assert found.failed == ()


def test_each_gate_finds_its_own_drift():
    champion = make_profile()
    assert failed(champion, make_profile(seed=1, shares=(0.2, 0.2, 0.4, 0.2))) == {
        ("labels", "ethnicity"),
        ("cells", "cells"),
    }
    assert failed(champion, make_profile(seed=1, brightness=80)) == {("images", "brightness")}
    assert failed(champion, make_profile(seed=1, side=96)) == {("images", "side")}
    assert failed(champion, make_profile(seed=1, faults=9_000)) == {("reject_rate", "faulty files")}
    assert failed(champion, make_profile(seed=1, other=30)) == {("new_classes", "ethnicity")}
    assert failed(champion, make_profile(seed=1, brightness=80), images={"action": "off"}) == set()
    assert failed(champion, make_profile(seed=1, faults=900), reject_rate={"increase": 0.02}) == {
        ("reject_rate", "faulty files")
    }


def test_other_classes_are_named_and_their_cells_not_compared():
    new = make_profile(seed=1, labels=Labels(ethnicities=("White", "Black", "Asian", "Other")))
    found = compare_profiles(make_profile(), new, GatesSettings())
    (told,) = [finding.told for finding in found.failed if finding.gate == "new_classes"]
    assert "Other is used, which the champion does not know" in told
    assert "Indian is not used, which the champion knows" in told
    assert found.notes == ("The cells are not compared, because the champion has other classes or age bins.",)


@pytest.mark.parametrize("champion_knows", [True, False])
def test_an_output_that_only_one_side_states_is_named_and_not_compared(champion_knows):
    ageless = make_profile(labels=Labels(output_names=("gender", "ethnicity")))
    sides = [make_profile(), ageless] if champion_knows else [ageless, make_profile()]
    found = compare_profiles(*sides, GatesSettings())
    whose = "this" if champion_knows else "the champion's"
    assert f"The age is not compared, because {whose} data states none." in found.notes
    assert not found.failed
    assert ("labels", "age") not in {(finding.gate, finding.subject) for finding in found.findings}


def test_the_report_says_what_drifted_and_nothing_where_there_is_no_champion(tmp_path):
    comparison = make_comparison()
    assert "Data against the champion's" not in render(comparison) + summarise(comparison)
    found = compare_profiles(make_profile(), make_profile(seed=1, brightness=80), GatesSettings())
    told = comparison.model_copy(update={"gates": found})
    for text in (render(told), summarise(told)):
        assert "brightness: mean 120 → 80" in text.replace("\\", "")
        assert "1 of" in text


def test_a_warning_goes_on_and_a_stop_names_gate_values_and_limit(tmp_path, caplog):
    comparison = make_comparison().dataset.preprocess
    summary = comparison.model_copy(update={"profile": make_profile(seed=1, brightness=80, faults=9_000)})
    summary.write(tmp_path / "summary")
    paths = str(tmp_path / "summary"), str(tmp_path / "gates")
    check_data(paths[0], make_profile(), GatesSettings(), paths[1])
    assert "gates.images: brightness: mean 120 → 80 (population stability index" in caplog.text
    (tmp_path / "gates").unlink()
    with pytest.raises(
        DataError,
        match=r"The gate reject_rate stops the run, because 31\.0% of the files are faulty files and 0\.0% of the "
        r"champion's were \(a rise of 31\.0 points, limit 5\): look at the source, or set gates\.reject_rate\.action",
    ):
        check_data(paths[0], make_profile(), GatesSettings(reject_rate={"action": "stop"}), paths[1])
    assert not (tmp_path / "gates").exists()
