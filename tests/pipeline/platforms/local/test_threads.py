"""Branches that run side by side share the processors."""

import os

import pytest

from pipeline.definition import build_pipeline
from pipeline.platforms.local.threads import share_processors
from pipeline.settings import load_settings


@pytest.fixture
def threads_of(monkeypatch):
    """Give a function that returns each stage's thread setting on a machine with 8 processors."""
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    monkeypatch.delenv("TF_NUM_INTRAOP_THREADS", raising=False)

    def read(branches, parallelism=None):
        pipeline = build_pipeline(load_settings("demo", None, []), "python", share_processors(branches, parallelism))
        executors = pipeline.pipeline_spec.deployment_spec["executors"]
        found = {}
        for name, executor in executors.items():
            container = executor["container"]
            found[name.removeprefix("exec-")] = (
                [entry["value"] for entry in container["env"]] if "env" in container else []
            )
        return found

    return read


def test_two_branches_get_half_of_the_processors_each(threads_of):
    threads = threads_of({"tune": 1, "train": 4, "evaluate": 4})
    assert threads["train"] == threads["evaluate"] == ["4"]
    assert threads["tune"] == threads["compare"] == []


def test_a_single_branch_gets_them_all(threads_of):
    assert threads_of({"train": 1, "evaluate": 1})["train"] == []


def test_the_parallelism_of_the_settings_counts_up_to_what_runs_at_once_here(threads_of):
    assert threads_of({"train": 4}, parallelism=1)["train"] == []
    assert threads_of({"train": 4}, parallelism=8)["train"] == ["4"]


def test_what_the_user_has_set_stays(threads_of, monkeypatch):
    monkeypatch.setenv("TF_NUM_INTRAOP_THREADS", "3")
    assert threads_of({"train": 4})["train"] == []
