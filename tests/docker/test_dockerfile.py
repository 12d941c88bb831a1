"""What a cluster asks of the image that every stage runs in."""

import re
from pathlib import Path

import pytest

DOCKERFILE = Path(__file__).parents[2] / "docker" / "Dockerfile"


@pytest.mark.parametrize("target", ["cpu", "gpu"])
def test_the_image_runs_as_a_numbered_user(target):
    # Kubernetes can't tell whether a user with a name is root, and Kubeflow's pods ask for runAsNonRoot.
    stages = re.split(r"^FROM .* AS (\w[\w-]*)$", DOCKERFILE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    stage = dict(zip(stages[1::2], stages[2::2], strict=True))[target]
    users = re.findall(r"^USER (.+)$", stage, flags=re.MULTILINE)
    assert users
    assert re.fullmatch(r"[1-9]\d*(:[1-9]\d*)?", users[-1])
