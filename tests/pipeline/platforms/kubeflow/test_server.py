"""The tests' own Kubeflow answers about a run as a real Kubeflow Pipelines 2.17 did."""

from collections import Counter

import pytest
import requests

from pipeline.platforms.kubeflow.workflow import node_number
from tests.pipeline.platforms.kubeflow.argo_workflow import fnv1a


def test_a_run_is_answered_as_a_real_server_answers(on_kubeflow, kubeflow):
    kubeflow.plan = ["PENDING", "", *["RUNNING"] * 6, "FAILED"]
    assert on_kubeflow("submit", "--run-name", "raw").code == 0
    (run_id,) = kubeflow.runs
    url = f"{kubeflow.host}/apis/v2beta1/runs/{run_id}"
    looks = [requests.get(url, timeout=60).json() for _ in kubeflow.plan]
    states = [look.get("state") for look in looks]
    assert states == ["PENDING", None, *["RUNNING"] * 6, "FAILED"]
    assert {look["finished_at"] for look in looks[:-1]} == {"1970-01-01T00:00:00Z"}
    assert {look["service_account"] for look in looks} == {"pipeline-runner"}
    assert set(looks[0]["pipeline_spec"]) == {"pipeline_spec", "platform_spec"}

    tasks = looks[-1]["run_details"]["task_details"]
    names = Counter(task.get("display_name") for task in tasks)
    assert {"root", "root-driver", "train-driver", "executor", "executor(0)", "executor(1)", "iteration-item"} < set(
        names
    )
    assert {"iteration-iterations", "iteration-iterations(0:0)", "iteration-iterations(3:3)"} < set(names)
    assert names["train"] == 4  # One for each variant: the display name does not tell them apart.
    assert names[None] == 1
    assert not any("error" in task or "pod_name" in task for task in tasks)
    failed = {task.get("display_name") for task in tasks if task.get("state") == "FAILED"}
    assert {"root", "for-loop-2", "iteration-item", "train", "executor", "executor(0)", "executor(1)"} < failed
    assert [task.get("state") for task in tasks if task.get("display_name") == "compare"] == [None]
    orders = [[task["task_id"] for task in look["run_details"]["task_details"]] for look in looks[2:]]
    common = set(orders[0]).intersection(*orders)
    assert len({tuple(task for task in order if task in common) for order in orders}) > 1


@pytest.mark.parametrize(
    ("text", "number"),
    [
        # The hash's own test vectors, then identifiers that Argo gave on a cluster (argoproj/argo-workflows#3780).
        ("", 0x811C9DC5),
        ("a", 0xE40C292C),
        ("foobar", 0xBF9CF968),
        ("reproduce-bug-9tpfr.process-tasks(3:3)(0)", 2008331609),
        ("reproduce-bug-9tpfr.process-tasks(9:9)(0)", 2475724017),
    ],
)
def test_nodes_are_numbered_as_argo_numbers_them(text, number):
    assert node_number(text) == str(fnv1a(text)) == str(number)
