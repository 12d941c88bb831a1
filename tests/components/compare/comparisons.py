"""Small comparisons that are valid by the contract, made from one number per variant and no run at all."""

from components.compare.contract import Comparison
from components.compare.settings import CompareSettings
from components.dataset.labels import Labels
from components.dataset.outputs import CLASSIFIED, FOCUS, OUTPUTS
from components.evaluation.catalogue import GROUP_COLUMNS, GROUPED, MAIN, NAMED, SCALARS, TESTED, Better, Test
from components.model.settings import Hyperparameters

LABELS = Labels()

FACES = 640
"""Faces of the test set."""

SKILLS = {"baseline": 0.6, "ins": 0.72, "logit_adjusted": 0.58}
"""Skill of each variant, 0 to 1: a share has about this value, and an error is small where it is high."""

DUMMY_SKILL = 0.25

ADJUSTMENT = {"tau": 1.0, "temperature": 1.2, "class_priors": dict.fromkeys(LABELS.names(FOCUS.name), 0.25)}

_POSTHOC_GAIN = 0.08
_SIGNIFICANT_GAIN = 0.05
_PRIMARY = TESTED["ethnicity_macro_f1"]


PICTURE = (
    "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAP//////////////////////////////////////////////////////////////////////////////"
    "////////wAALCAABAAEBAREA/8QAFAABAAAAAAAAAAAAAAAAAAAAA//EABQQAQAAAAAAAAAAAAAAAAAAAAD/2gAIAQEAAD8AN//Z"
)
"""A JPEG of one pixel, in base64."""

FACE = {"image_id": "first", "age": 30, "predicted_age": 33.4, "gender": "Female", "predicted_gender": "Male",
        "female_probability": 0.2, "ethnicity": "Asian", "predicted_ethnicity": "White",
        "ethnicity_probability": 0.7}  # fmt: skip


def make_comparison(
    skills=None, *, seeds=(1, 2), posthoc=True, missing=(), titles=None, run=None, pictures=None, **settings
):
    """Return a comparison.

    Args:
        skills: Skill of each trained variant. Default: :data:`SKILLS`.
        seeds: Seeds of every variant.
        posthoc: Whether each variant has a post-hoc row, with more skill in the output that is at stake.
        missing: Variant and seed of the runs that gave no results.
        titles: Titles of variants for people. Default: their names.
        run: Facts about the run.
        pictures: By ``image_id`` of :data:`FACE`. Default: none.
        settings: Of the comparison, such as ``confidence``.
    """
    skills, titles = skills or SKILLS, titles or {}
    settings = CompareSettings(posthoc={"enabled": posthoc}, **settings)
    measured = {}
    for name, skill in skills.items():
        measured[name] = _measure(dict.fromkeys(OUTPUTS, skill), seeds)
        if posthoc:
            adjusted = dict.fromkeys(OUTPUTS, skill) | {FOCUS.name: skill + _POSTHOC_GAIN}
            measured[f"{name}+posthoc"] = _measure(adjusted, seeds)
    reference = measured.get(settings.reference)
    variants, adjusted_rows = {}, {}
    for name in skills:
        row = _about(titles.get(name, name), seeds, [seed for variant, seed in missing if variant == name])
        variants[name] = row | measured[name] | {"difference_to_reference": None}
        if reference and name != settings.reference:
            variants[name]["difference_to_reference"] = _differences(measured[name], reference, seeds)
        if posthoc:
            key = f"{name}+posthoc"
            adjusted_rows[key] = row | measured[key] | {
                "title": f"{row['title']}, post-hoc adjusted", "kind": "posthoc", "derived_from": name, "tau": 1.0,
                "temperature": 1.2,
                "adjustments": dict.fromkeys(map(str, seeds), ADJUSTMENT),
                "train_seconds": 0.0, "train_seconds_by_seed": dict.fromkeys(map(str, seeds), 0.0), "history": {},
                "difference_to_reference": _differences(measured[key], reference, seeds) if reference else None,
            }  # fmt: skip
    paired = [test for name, row in measured.items() for test in _tests(name, row, reference, seeds, settings)]
    return Comparison.model_validate(
        {
            "dataset": _dataset(),
            "variants": variants,
            "posthoc": adjusted_rows,
            "dummy": _measure(dict.fromkeys(OUTPUTS, DUMMY_SKILL), ())
            | {"predicts": {"age_years": 30.0, **{name: LABELS.names(name)[0] for name in CLASSIFIED}}},
            "paired": paired,
            "missing": [{"variant": variant, "seed": seed} for variant, seed in missing],
            "recommended": _recommendation(paired, settings, seeds),
            "tuning": {"scope": None, "fixed": True, "trials": 0, "searches": {}, "note": "No search has chosen",
                       "history": {"baseline": [{"trial": "1", "status": "completed", "epochs": 2, "score": 0.5,
                                                 "hyperparameters": {"learning_rate": 0.001}},
                                                {"trial": "2", "status": "failed", "epochs": 0, "score": None,
                                                 "hyperparameters": {"learning_rate": 0.1}}]}},
            "notes": ["Labels of gender and ethnicity are categories as annotators perceived them."],
            "provenance": {"fingerprint": "fingerprint", "settings": settings.model_dump(), "training": {},
                           "versions": {"python": "3.11"}, "methods": {"adjustment": "Holm"}},
            "runs": [{"variant": name, "seed": seed, "model": f"models/{name}/{seed}", "predictions": f"{name}/{seed}",
                      "validation_predictions": f"validation/{name}/{seed}"}
                     for name in skills for seed in seeds],
            "run": run or {},
            "galleries": [{"kind": kind, "variant": next(iter(skills)), "seed": seeds[0], "faces": [FACE],
                           "reference": [FACE | {"predicted_ethnicity": "Indian"}]}
                          for kind in ("examples", "best", "worst", "weakest", "gained", "lost")],
            "pictures": pictures or {},
        }
    )  # fmt: skip


def _value(metric, skill, place=0):
    """Return a metric that a network of some skill has in its ``place``-th class, bin or group."""
    if metric.is_age:
        return round((30 * (1 - skill) + place) * (-1 if metric.better is Better.ZERO else 1), 6)
    return round(skill - 0.01 * place, 6)


def _interval(value):
    margin = 0.1 * abs(value) + 0.01
    return {"value": value, "low": round(value - margin, 6), "high": round(value + margin, 6)}


def _measure(skills, seeds):
    """Return all numbers of a row: the fields of :class:`~components.compare.contract.Metrics`."""
    intervals = {
        name: {
            key: _interval(_value(metric, skills[metric.output], place))
            for place, key in enumerate(LABELS.names(metric.per))
        }
        for name, metric in NAMED.items()
    }
    numbers = {name: {key: entry["value"] for key, entry in named.items()} for name, named in intervals.items()}
    for name, metric in SCALARS.items():
        value = _value(metric, skills[metric.output])
        told = {"std": 0.01 if len(seeds) > 1 else None, "by_seed": {str(seed): value for seed in seeds}}
        numbers[name] = _interval(value) | (told if seeds else {})
    for output in CLASSIFIED:
        numbers |= _confusions(output, skills[output], len(seeds) or 1)
    return numbers | {
        "intervals": intervals,
        "groups": {name: _groups(metric, skills[metric.output]) for name, metric in GROUPED.items()},
        "natural": {name: _interval(_value(metric, skills[metric.output], 1)) for name, metric in SCALARS.items()},
    }


def _confusions(output, skill, runs):
    """Return the confusion matrices of an output, whose mistakes are all given to the next class."""

    def counts(faces):
        size = len(LABELS.names(output))
        right = round(skill * faces / size)
        matrix = [[0] * size for _ in range(size)]
        for place, line in enumerate(matrix):
            line[place], line[(place + 1) % size] = right, faces // size - right
        return matrix

    whole = counts(FACES * runs)
    confusions = {
        f"{output}_confusion": whole,
        f"{output}_confusion_normalised": [[count / sum(line) for count in line] for line in whole],
    }
    if output in GROUP_COLUMNS:
        other = GROUP_COLUMNS[1 - GROUP_COLUMNS.index(output)]
        names = LABELS.names(other)
        confusions[f"{output}_confusion_by_{other}"] = {name: counts(FACES * runs // len(names)) for name in names}
    return confusions


def _groups(metric, skill):
    names = LABELS.group_names
    by_group = {name: _interval(_value(metric, skill, place)) for place, name in enumerate(names)}
    first, last = by_group[names[0]], by_group[names[-1]]
    return {
        "better": metric.better,
        "overall": _value(metric, skill),
        "by_group": {name: entry | {"faces": FACES // len(names)} for name, entry in by_group.items()},
        "worst": last | {"group": names[-1]},
        "best": first | {"group": names[0]},
        "difference": _interval(abs(last["value"] - first["value"])),
    }


def _less(entry, other):
    return _interval(round(entry["value"] - other["value"], 6))


def _differences(row, reference, seeds):
    def less(part):
        return {name: _less(entry, reference[part][name]) for name, entry in row[part].items()}

    groups = {name: (entry, reference["groups"][name]) for name, entry in row["groups"].items()}
    return {
        "seeds": list(seeds),
        "natural": less("natural"),
        "worst_group": {name: _less(entry["worst"], other["worst"]) for name, (entry, other) in groups.items()},
        "group_gap": {name: _less(entry["difference"], other["difference"]) for name, (entry, other) in groups.items()},
        **{name: _less(row[name], reference[name]) for name in SCALARS},
        **{
            name: {
                key: _less(entry, reference["intervals"][name][key]) for key, entry in row["intervals"][name].items()
            }
            for name in NAMED
        },
    }


def _about(title, seeds, missing_seeds):
    """Return how a trained row came about."""
    by_seed = [str(seed) for seed in seeds]
    names, bins = ["loss", *MAIN], LABELS.age_bins
    history = {"epoch": [1, 2, 3], **{name: [0.9, 0.6, 0.5] for name in names}}
    history |= {f"val_{name}": [1.0, None, 0.7] for name in names}
    return {
        "title": title, "kind": "trained", "source": "a paper",
        "cures": {**dict.fromkeys(OUTPUTS, "none"), "resampling": "none"},
        "status": "incomplete" if missing_seeds else "complete", "seeds": list(seeds), "missing_seeds": missing_seeds,
        "calibration": {name: _calibration() for name in CLASSIFIED}, "learned": dict.fromkeys(OUTPUTS, True),
        "age_error_by_age": {"age": [1], "faces": [1], "bias": [0.5], "mae": [0.5]},
        "age_error_boxes": {name: {"low": -9, "q1": -3, "median": 1.25, "q3": 4, "high": 11} for name in bins},
        "examples": [], "worst_errors": {"output": FOCUS.name, "name": LABELS.names(FOCUS.name)[-1], "faces": []},
        "cells": {"age_mae": [None, *range(LABELS.cell_count - 1)],
                  **dict.fromkeys(("gender_accuracy", "ethnicity_accuracy"), [0.75] * LABELS.cell_count)},
        "epochs_run": dict.fromkeys(by_seed, 3), "best_epoch": dict.fromkeys(by_seed, 2),
        "train_seconds": 10.0, "train_seconds_by_seed": dict.fromkeys(by_seed, 10.0),
        "train_faces": 2000, "validation_faces": 1000, "parameters": 12345,
        "hyperparameters": Hyperparameters().model_dump(),
        "class_priors": dict.fromkeys(LABELS.names(FOCUS.name), 0.25), "statistics": {},
        "history": dict.fromkeys(by_seed, history),
    }  # fmt: skip


def _calibration():
    return {"error": 0.08, "natural_error": 0.03, "by_group": dict.fromkeys(LABELS.group_names, 0.1),
            "temperature": 1.3, "bins": [{"weight": 320, "confidence": confidence, "accuracy": confidence - 0.08}
                                         for confidence in (0.5, 0.9)]}  # fmt: skip


def _tests(name, row, reference, seeds, settings):
    if reference is None or row is reference:
        return
    for metric in TESTED.values():
        if name.endswith("+posthoc") and metric.output != FOCUS.name:
            continue
        difference = round(row[metric.name]["value"] - reference[metric.name]["value"], 6)
        gain = metric.better.gain(difference)
        significant = abs(gain) > _SIGNIFICANT_GAIN
        is_exact = metric.test is Test.CORRECT
        alone = "mcnemar_exact" if is_exact else "permutation"
        yield {
            "a": name, "b": settings.reference, "metric": metric.name, "better": metric.better,
            "test": alone if len(seeds) == 1 else "over_seeds", "seeds": list(seeds), "faces": FACES,
            "difference": difference, "low": round(difference - 0.03, 6), "high": round(difference + 0.03, 6),
            "std": 0.01 if len(seeds) > 1 else None, "p": 0.001 if significant else 0.6,
            "by_seed": {str(seed): {"a_only": 30, "b_only": 9, "p": 0.001} for seed in seeds if is_exact},
            "p_adjusted": 0.004 if significant else 1.0, "significant": significant,
            "verdict": ("better" if gain > 0 else "worse") if significant else "no difference shown",
        }  # fmt: skip


def _recommendation(paired, settings, seeds):
    """Recommend the row with the largest gain in ethnicity macro F1, or the reference."""
    gains = {test["a"]: test for test in paired if test["metric"] == _PRIMARY.name}
    best = max(gains, key=lambda name: gains[name]["difference"], default=None)
    if best is None or not gains[best]["significant"]:
        best = settings.reference
    is_posthoc = best.endswith("+posthoc")
    rule = settings.recommendation
    guards = [{"metric": metric, "scope": "worst group" if worst else "overall", "margin": margin}
              for metric, worst, margin in rule.margins.guards()]  # fmt: skip
    judged = [
        guard | {"loss": 0.01, "low": 0.0, "high": 0.02, "holds": place > 0} for place, guard in enumerate(guards)
    ]
    won = best != settings.reference
    return {
        "variant": best, "standing": "recommended" if won else "kept",
        "because": f"{best} has the largest gain", "kind": "posthoc" if is_posthoc else "trained",
        "model": best.removesuffix("+posthoc"), "seed": seeds[0],
        "validation_scores": {str(seed): 0.7 + place / 100 for place, seed in enumerate(seeds)},
        "adjustment": ADJUSTMENT if is_posthoc else None,
        "rule": {"chosen_on": rule.chosen_on, "min_seeds": rule.min_seeds, "utility": rule.utility.model_dump(),
                 "primary_metric": _PRIMARY.name, "significance": rule.significance, "every_seed": rule.every_seed,
                 "guard_evidence": rule.guard_evidence, "guards": guards, "posthoc": rule.posthoc,
                 "text": "Recommended is the largest gain"},
        "candidates": [
            {"variant": name, "kind": "posthoc" if name.endswith("+posthoc") else "trained", "chosen": name == best,
             "choice_gain": test["difference"], "choice_utility": 0.1, "gain": test["difference"],
             "p": test["p_adjusted"], "significant": test["significant"],
             "consistent_over_seeds": True if len(test["seeds"]) > 1 else None, "better": test["significant"],
             "guards": judged, "safe": True, "eligible": test["significant"], "utility": _interval(0.1),
             "dominated_by": None if name == best else best}
            for name, test in gains.items()
        ],
        "choice": {"on": "validation", "faces": 1000, "effective_faces": 312.5, "tied": [best]},
        "indistinguishable": [], "frontier": [best], "natural": _interval(-0.02) if won else None,
    }  # fmt: skip


def _dataset():
    def split(faces):
        names = {column: LABELS.names(column) for column in (*CLASSIFIED, "age_bin")}
        return {column: dict.fromkeys(classes, faces // len(classes)) for column, classes in names.items()}

    sizes = {"manifest": 3640, "train": 2000, "validation": 1000, "test": FACES}
    before = {"gender": {"Male": 1823, "Female": 1820}, "ethnicity": {"White": 2640, "Other": 1003},
              "age": {"1": 1000, "35": 2640, "99": 3}}  # fmt: skip
    after = {"gender": {"Male": 1820, "Female": 1820}, "ethnicity": {"White": 2640},
             "age": {"1": 1000, "35": 2640}}  # fmt: skip
    return {
        "fingerprint": "fingerprint", "faces": 3640, "rejected": 3, "train": 2000, "validation": 1000, "test": FACES,
        "labels": LABELS.to_dict(),
        "preprocess": {
            "fingerprint": "fingerprint", "files": 3643, "faces": 3640, "faults": 0, "rejected": 3,
            "steps": [{"step": "files", "faces": 3643, "removed": 0, "why": "every file"},
                      {"step": "max_age", "faces": 3640, "removed": 3, "why": "older than 80"}],
            "rejects": {"above_the_age_limit": 3}, "before": before, "after": after,
            "correlation": {"columns": ["age", "log_age"], "matrix": [[1, 0.85], [None, 1]]},
        },
        "test_set": {"test": FACES, "pool": 3000, "cells": 64, "shortfall": 0, "faces_per_cell": 10, "by_cell": [],
                     "shortfalls": []},
        "splits": {name: split(faces) for name, faces in sizes.items()},
        "cells": [{"name": LABELS.cell_name(cell), "test": 10, "train": 0 if cell < 2 else 30, "population": 50,
                   "share": 0.015625} for cell in range(LABELS.cell_count)],
        "unseen": {name: {key: 20 if place == 0 else 0 for place, key in enumerate(LABELS.names(name))}
                   for name in (*CLASSIFIED, "age_bin")},
        "natural": {"covered_share": 0.98, "absent_cells": []},
    }  # fmt: skip
