"""What the stages import, and what importing costs them."""

import gc
import json
import subprocess
import sys

import pytest

from components.imports import lasting_imports

HEAVY = ("tensorflow", "keras", "keras_tuner", "sklearn", "scipy", "statsmodels", "matplotlib", "google.cloud.storage")


def imported_by(module):
    """Return the heavy libraries that a new process has after importing a module."""
    code = f"import json, sys, {module}; print(json.dumps([name for name in {HEAVY} if name in sys.modules]))"
    finished = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(json.loads(finished.stdout.splitlines()[-1]))


@pytest.mark.parametrize("stage", ["build_test_set.build_test_set", "split.split", "tune.gather"])
def test_a_stage_that_only_handles_tables_imports_nothing_heavy(stage):
    assert imported_by(f"components.{stage}") == set()


def test_preprocess_imports_scipy_alone_which_hashes_pictures():
    assert imported_by("components.preprocess.preprocess") <= {"scipy"}


def test_the_comparison_imports_no_tensorflow():
    assert imported_by("components.compare.compare") <= {"scipy", "statsmodels", "matplotlib"}


def test_imported_modules_are_kept_from_the_garbage_collector():
    frozen = gc.get_freeze_count()
    try:
        with lasting_imports():
            assert not gc.isenabled()
        assert gc.isenabled()
        assert gc.get_freeze_count() > frozen
    finally:
        gc.unfreeze()
