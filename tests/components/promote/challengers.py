"""Recommended models without a network: folders whose skill a scorer reads, as if it had asked the model."""

import json
from pathlib import Path

from components.dataset.labels import Labels
from components.digests import write_digests
from components.errors import ArtifactError
from components.promote.settings import PromotionSettings
from components.recommend.contract import PackagedNetwork, RecommendedModel
from tests.components.simulation import simulate_predictions

GOOD = {"signal": 3.5}
BAD = {"signal": 1.5}
MIDDLING = {"signal": 2.6}
RUDE = {"signal": 3.5, "gender_skill": 0.7}
UNFAIR = {"signal": 3.5, "gender_skill": 0.45}


def make_challenger(folder, name="one", *, standing="recommended", seeds=3, labels=None, ships=True, **skill):
    """Write a folder as the stage recommend does, with a skill in place of a network, and return it."""
    folder.mkdir(parents=True)
    (folder / "variables").mkdir()
    (folder / "variables" / "skill.json").write_text(json.dumps({"variant": name, **skill}))
    network = PackagedNetwork(
        row="ins", title="Inverse number of samples", variant="ins", seed=1, adjustment=None, metrics={},
        validation_metric="ethnicity_macro_f1", validation_scores={str(seed): 0.6 for seed in range(seeds)},
        image_size=32, files={"saved_model.pb": name},
    )  # fmt: skip
    RecommendedModel(
        standing=standing,
        because="It is better.",
        fingerprint=f"data of {name}",
        labels=labels or Labels(),
        network=network if ships else None,
    ).write(folder)
    write_digests(folder)
    return folder


def score(folder):
    """Return what a folder's model predicts for the 640 test faces."""
    skill = json.loads(Path(folder, "variables", "skill.json").read_text())
    if skill.pop("broken", False):
        raise ArtifactError("The model does not answer", remedy="train it again")
    return simulate_predictions(**{"age_error": 8.0, "gender_skill": 0.95, **skill})


def settings(**policy):
    """Return settings with few resamples."""
    return PromotionSettings.model_validate({"resamples": 100, "permutations": 199, "policy": policy})
