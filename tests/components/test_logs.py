"""What a stage prints: lines for people here, JSON objects for a cluster's log collector."""

import json
import os
import subprocess
import sys
from datetime import datetime

STAGE = """
import logging
from components.errors import DataError
from components.logs import log_to_console
log_to_console()
log = logging.getLogger("components.train")
log.info("Epoch %d:\\n%s faces", 1, "14,428")
log.warning("few faces")
raise DataError("The source holds no file", remedy="fill it")
"""


def run(**environment):
    finished = subprocess.run(
        [sys.executable, "-c", STAGE],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **environment},
    )
    assert finished.returncode == 1
    return finished


def test_on_a_cluster_each_line_is_an_object_that_collectors_read():
    finished = run(EVENFACE_LOG="json", EVENFACE_STAGE="train")
    assert finished.stderr == ""
    entries = [json.loads(line) for line in finished.stdout.splitlines()]
    assert [(entry["severity"], entry["message"]) for entry in entries] == [
        ("INFO", "Epoch 1:\\n14,428 faces"),
        ("WARNING", "few faces"),
        ("CRITICAL", "DataError: The source holds no file: fill it."),
    ]
    assert {entry["stage"] for entry in entries} == {"train"}
    assert all(datetime.fromisoformat(entry["time"]).tzinfo for entry in entries)
    assert "Traceback" in entries[-1]["stack_trace"]


def test_on_one_machine_a_line_is_a_line():
    finished = run(EVENFACE_LOG="")
    assert finished.stdout == "evenface | Epoch 1:\\n14,428 faces\nevenface | few faces\n"
    assert finished.stderr.endswith("DataError: The source holds no file: fill it.\n")
