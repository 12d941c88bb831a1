"""The image's labels and Docker's absence, without an engine."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from components.errors import RequestError
from pipeline.platforms.local.docker_image import DockerImage, check_current, connect, sources_digest

ROOT = Path(__file__).resolve().parents[4]


def image(sources):
    return DockerImage("evenface:cpu", "sha256:0", "cpu", sources, 0)


@pytest.fixture
def checkout(tmp_path):
    for directory in ("components", "docker", "pipeline"):
        shutil.copytree(ROOT / directory, tmp_path / directory)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


@pytest.mark.parametrize("target", ["cpu", "gpu"])
def test_the_build_script_labels_the_image_with_the_digest_that_runs_compare(tmp_path, target):
    fake = tmp_path / "docker"
    fake.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    fake.chmod(0o755)
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    built = subprocess.run(
        [ROOT / "docker" / "build.sh", target], env={"PATH": path}, capture_output=True, text=True, check=True
    )
    arguments = built.stdout.splitlines()
    assert f"SOURCES={sources_digest(target)}" in arguments
    assert arguments[arguments.index("--target") + 1] == target
    assert "VERSION=0.1.0" in arguments


@pytest.mark.parametrize(
    "changed", ["components/errors.py", "pipeline/presets/poc.yaml", "docker/Dockerfile", "docker/requirements-cpu.txt"]
)
def test_a_change_of_anything_that_is_in_the_image_makes_it_stale(checkout, changed):
    built = image(sources_digest("cpu", checkout))
    check_current(built, checkout)
    with (checkout / changed).open("a") as file:
        file.write("\n")
    with pytest.raises(RequestError, match="built from sources other than"):
        check_current(built, checkout)


@pytest.mark.parametrize("changed", ["components/__pycache__/errors.pyc", "docker/requirements-gpu.txt", "README.md"])
def test_a_change_of_what_is_not_in_the_image_leaves_it_current(checkout, changed):
    built = image(sources_digest("cpu", checkout))
    (checkout / changed).parent.mkdir(exist_ok=True)
    (checkout / changed).write_text("changed")
    check_current(built, checkout)


def test_without_a_checkout_there_is_nothing_to_compare_with(tmp_path):
    check_current(image("0123456789abcdef"), tmp_path)


def test_without_an_engine_the_sentence_says_so(monkeypatch, tmp_path):
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/no.sock")
    with pytest.raises(RequestError, match=r"^No Docker engine answers .* use --runner subprocess"):
        connect()
