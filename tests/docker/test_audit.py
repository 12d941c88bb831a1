"""`make audit`: what it says of what pip-audit found, with a stand-in for pip-audit."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

AUDIT = Path(__file__).resolve().parents[2] / "docker" / "audit.py"
SOUND = {"name": "numpy", "version": "2.0.0", "vulns": []}
SKIPPED = {"name": "numpy", "skip_reason": "Could not connect to PyPI"}
VULNERABLE = {"name": "keras", "version": "3.0.0", "vulns": [{"id": "CVE-1", "fix_versions": ["3.0.1"]}]}


@pytest.mark.parametrize(
    ("packages", "code", "sentence"),
    [
        ([SKIPPED], 3, "can't be reached from here: run it again on a machine that reaches it"),
        (None, 3, "can't be reached from here (ERROR: no route to host): run it again on a machine"),
        ([SOUND], 0, "audit: 1 packages, 0 vulnerable, 0 not audited"),
        ([SOUND, VULNERABLE], 1, "keras 3.0.0: CVE-1, fixed in 3.0.1\naudit: 2 packages, 1 vulnerable, 0 not audited"),
    ],
)
def test_an_audit_says_what_it_found_and_never_passes_for_one_that_looked_at_nothing(
    tmp_path, packages, code, sentence
):
    printed = "" if packages is None else json.dumps({"dependencies": packages})
    program = tmp_path / "pip-audit"
    program.write_text(f"#!/bin/sh\necho 'ERROR: no route to host' >&2\necho '{printed}'\n")
    program.chmod(0o755)
    told = subprocess.run([sys.executable, AUDIT, program], capture_output=True, text=True, check=False)
    assert told.returncode == code
    assert sentence in told.stdout + told.stderr
    assert "\n" not in told.stderr.strip()
