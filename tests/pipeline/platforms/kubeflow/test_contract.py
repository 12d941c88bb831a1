"""The judge itself: what breaks the API's description is noticed."""

import json

import pytest

from tests.pipeline.platforms.kubeflow.kubeflow_contract import Contract, ContractError

CONTRACT = Contract()
ROOT = "/apis/v2beta1"


def read(method, path, body=None):
    return CONTRACT.read(method, ROOT + path, "application/json", json.dumps(body).encode() if body else b"")


def test_a_request_is_read_into_its_parts():
    call = read("DELETE", "/recurringruns/42?propagation_policy=ORPHAN")
    assert (call.operation, call.path) == ("RecurringRunService_DeleteRecurringRun", {"recurring_run_id": "42"})
    assert call.query == {"propagation_policy": "ORPHAN"}
    assert read("POST", "/recurringruns/42:disable").operation == "RecurringRunService_DisableRecurringRun"


@pytest.mark.parametrize(
    ("method", "path", "body", "fault"),
    [
        ("GET", "/recuringruns", None, "knows no GET"),
        ("PATCH", "/runs", None, "knows no PATCH"),
        ("GET", "/runs?page_sise=10", None, "no query parameter 'page_sise'"),
        ("GET", "/runs?page_size=ten", None, "'page_size' can't be 'ten'"),
        ("DELETE", "/recurringruns/42?propagation_policy=KEEP", None, "can't be 'KEEP'"),
        ("POST", "/runs", None, "needs a body"),
        ("POST", "/runs", {"name": "first"}, "'name' was unexpected"),
        ("POST", "/runs", {"runtime_config": {"pipeline_root": 7}}, "runtime_config.pipeline_root: 7 is not of type"),
        ("POST", "/recurringruns", {"mode": "ON"}, "mode: 'ON' is not one of"),
        ("POST", "/recurringruns", {"max_concurrency": 1}, "max_concurrency: 1 is not of type 'string'"),
    ],
)
def test_a_wrong_request_is_noticed(method, path, body, fault):
    with pytest.raises(ContractError) as noticed:
        read(method, path, body)
    assert fault in str(noticed.value)


def test_a_wrong_answer_is_noticed():
    CONTRACT.check_response("RunService_GetRun", 200, {"run_id": "1", "state": "RUNNING"})
    with pytest.raises(ContractError, match="state: 'Running' is not one of"):
        CONTRACT.check_response("RunService_GetRun", 200, {"run_id": "1", "state": "Running"})
    with pytest.raises(ContractError, match="'reason' was unexpected"):
        CONTRACT.check_response("RunService_GetRun", 404, {"reason": "not found"})
