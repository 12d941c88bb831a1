"""`evenface schedule --target kubeflow`: the whole life of a schedule, through its faults."""

import re

import pytest
import yaml

from tests.pipeline.compiled_pipeline import CompiledPipeline

CRON = ("--cron", "0 3 * * 1")


def only(resources):
    (resource,) = resources.values()
    return resource


@pytest.fixture
def applied(on_kubeflow, kubeflow):
    finished = on_kubeflow("schedule", "apply", "weekly", *CRON)
    assert finished.code == 0, finished.err
    return only(kubeflow.recurring_runs)


def test_a_schedule_is_created_as_asked(on_kubeflow, kubeflow):
    finished = on_kubeflow("schedule", "apply", "weekly", *CRON, "--max-concurrency", "2")
    recurring = only(kubeflow.recurring_runs)
    assert "weekly: created" in finished.out
    assert finished.out.count("03:00 UTC (Mon 03:00 UTC)") == 3
    assert recurring["display_name"] == "weekly"
    assert recurring["trigger"]["cron_schedule"]["cron"] == "0 0 3 * * 1"
    assert recurring["max_concurrency"] == "2"
    assert recurring["no_catchup"] is True
    assert recurring["status"] == "ENABLED"


def test_its_runs_look_at_the_source_themselves_and_reuse_stages_only_of_the_same_data(applied, kubeflow, tmp_path):
    assert "source_fingerprint" not in applied["runtime_config"]["parameters"]
    uploaded = tmp_path / "uploaded.yaml"
    uploaded.write_text(yaml.safe_dump(only(kubeflow.versions)["pipeline_spec"]["pipeline_spec"]))
    stages = CompiledPipeline.read(uploaded).stages
    assert {name for name, stage in stages.items() if not stage.caching} == {"look_for_news"}
    assert "if-anything-is-new" in uploaded.read_text()


def test_applying_twice_changes_nothing(on_kubeflow, kubeflow, applied):
    before = dict(kubeflow.recurring_runs)
    assert applied["service_account"] == "pipeline-runner"  # The server fills it in; nobody asked for a change.
    calls = len(kubeflow.calls)
    finished = on_kubeflow("schedule", "apply", "weekly", *CRON)
    assert "weekly: unchanged" in finished.out
    assert kubeflow.recurring_runs == before
    assert not [call for call in kubeflow.calls[calls:] if "List" not in call and "Healthz" not in call]


@pytest.mark.parametrize(
    "change",
    [
        ("--cron", "0 4 * * 1"),
        ("--cron", "0 3 * * 1", "--max-concurrency", "3"),
        ("--cron", "0 3 * * 1", "--set", "training.epochs=7"),
        ("--cron", "0 3 * * 1", "--set", "platform.kubeflow.service_account=runner"),
    ],
)
def test_a_change_creates_the_new_one_before_it_retires_the_old(on_kubeflow, kubeflow, applied, change):
    calls = len(kubeflow.calls)
    finished = on_kubeflow("schedule", "apply", "weekly", *change)
    assert "weekly: replaced" in finished.out
    assert only(kubeflow.recurring_runs)["recurring_run_id"] != applied["recurring_run_id"]
    done = [call.removeprefix("RecurringRunService_") for call in kubeflow.calls[calls:]]
    order = [done.index(f"{verb}RecurringRun") for verb in ("Create", "Disable", "Delete")]
    assert order == sorted(order)


def test_a_run_in_flight_survives_a_change(on_kubeflow, kubeflow, applied):
    run = kubeflow.fire(applied["recurring_run_id"])
    finished = on_kubeflow("schedule", "apply", "weekly", "--cron", "0 5 * * *")
    assert f"The run {run} of the earlier version continues" in finished.out
    assert kubeflow.runs[run]["state"] == "RUNNING"
    assert applied["status"] == "DISABLED"
    assert [recurring["status"] for recurring in kubeflow.recurring_runs.values()] == ["DISABLED", "ENABLED"]
    listed = on_kubeflow("schedule", "list").out
    assert listed.count("weekly: ") == 1
    assert f"An earlier version is retiring: it starts no runs and stays until its run {run} ends." in listed
    kubeflow.runs[run]["state"] = "SUCCEEDED"
    assert "unchanged" in on_kubeflow("schedule", "apply", "weekly", "--cron", "0 5 * * *").out
    assert only(kubeflow.recurring_runs)["trigger"]["cron_schedule"]["cron"] == "0 0 5 * * *"


def test_a_failure_while_the_new_one_is_made_leaves_the_old_one_working(on_kubeflow, kubeflow, applied):
    kubeflow.fail("RecurringRunService_CreateRecurringRun", 500, times=99)
    finished = on_kubeflow("schedule", "apply", "weekly", "--cron", "0 4 * * 1")
    assert finished.code == 1
    assert "failed while creating the schedule weekly (500)" in finished.sentence
    assert only(kubeflow.recurring_runs) == applied
    assert applied["status"] == "ENABLED"


def test_an_interrupted_change_is_finished_by_applying_again(on_kubeflow, kubeflow, applied):
    kubeflow.fail("RecurringRunService_CreateRecurringRun", 0)
    assert on_kubeflow("schedule", "apply", "weekly", "--cron", "0 4 * * 1").code == 1
    assert len(kubeflow.recurring_runs) == 2
    assert on_kubeflow("schedule", "apply", "weekly", "--cron", "0 4 * * 1").code == 0
    assert only(kubeflow.recurring_runs)["trigger"]["cron_schedule"]["cron"] == "0 0 4 * * 1"


def test_a_schedule_with_an_earlier_version_in_flight_is_deleted_as_a_whole_or_not(on_kubeflow, kubeflow, applied):
    run = kubeflow.fire(applied["recurring_run_id"])
    assert on_kubeflow("schedule", "apply", "weekly", "--cron", "0 5 * * *").code == 0
    refused = on_kubeflow("schedule", "delete", "weekly")
    assert refused.code == 1
    assert f"is paused and starts no more runs, but deleting it might stop a run in flight ({run})" in refused.sentence
    # Neither the list nor a resume takes the earlier version for the schedule.
    listed = on_kubeflow("schedule", "list").out
    assert "'0 5 * * *' UTC, paused" in listed
    assert "'0 3 * * 1'" not in listed
    assert on_kubeflow("schedule", "resume", "weekly").code == 0
    assert [one["status"] for one in kubeflow.recurring_runs.values()] == ["DISABLED", "ENABLED"]
    assert applied["status"] == "DISABLED"
    kubeflow.runs[run]["state"] = "SUCCEEDED"
    assert on_kubeflow("schedule", "delete", "weekly").code == 0
    assert kubeflow.recurring_runs == {}


def test_pause_and_resume(on_kubeflow, kubeflow, applied):
    paused = on_kubeflow("schedule", "pause", "weekly")
    assert [kubeflow.fire(applied["recurring_run_id"]) for _ in range(3)] == [None] * 3
    assert paused.code == 0
    assert "it starts at once the latest of the runs that it missed, and no other" in paused.out
    assert applied["status"] == "DISABLED"
    assert "paused" in on_kubeflow("schedule", "list").out
    assert on_kubeflow("schedule", "resume", "weekly").code == 0
    assert applied["status"] == "ENABLED"
    # Of three missed runs exactly one starts, named after the schedule's object in the cluster.
    run = only(kubeflow.runs)
    assert run["recurring_run_id"] == applied["recurring_run_id"]
    assert re.fullmatch(r"weekly\w{5}-1-\d+", run["display_name"])
    # As many runs as allowed are in flight.
    assert kubeflow.fire(applied["recurring_run_id"]) is None


def test_a_paused_schedule_stays_paused_when_it_changes(on_kubeflow, kubeflow, applied):
    on_kubeflow("schedule", "pause", "weekly")
    assert "stays paused" in on_kubeflow("schedule", "apply", "weekly", "--cron", "0 4 * * 1").out
    assert only(kubeflow.recurring_runs)["status"] == "DISABLED"


def test_delete(on_kubeflow, kubeflow, applied):
    assert on_kubeflow("schedule", "delete", "weekly").code == 0
    assert kubeflow.recurring_runs == {}
    # The cluster keeps it until it collects its garbage, and starts no run of it meanwhile.
    assert only(kubeflow.orphans) == applied
    assert kubeflow.fire(applied["recurring_run_id"]) is None
    assert "No schedule" in on_kubeflow("schedule", "list").out


def test_deleting_does_not_stop_a_run_in_flight(on_kubeflow, kubeflow, applied):
    run = kubeflow.fire(applied["recurring_run_id"])
    refused = on_kubeflow("schedule", "delete", "weekly")
    assert refused.code == 1
    assert f"a run in flight ({run})" in refused.sentence
    assert kubeflow.runs[run]["state"] == "RUNNING"
    assert applied["status"] == "DISABLED"


def test_schedules_are_found_beyond_the_first_page(on_kubeflow, kubeflow, applied):
    others = {str(n): {**applied, "recurring_run_id": str(n), "display_name": f"other-{n}"} for n in range(120)}
    kubeflow.recurring_runs = {**others, applied["recurring_run_id"]: applied}
    assert "unchanged" in on_kubeflow("schedule", "apply", "weekly", *CRON).out


def test_a_recurring_run_that_is_not_ours_is_left_alone(on_kubeflow, kubeflow, applied):
    applied["description"] = "Made by hand"
    refused = on_kubeflow("schedule", "apply", "weekly", *CRON)
    assert refused.code == 2
    assert "exists that evenface did not make: choose another name" in refused.sentence
    assert list(kubeflow.recurring_runs.values()) == [applied]
    assert "No schedule" in on_kubeflow("schedule", "list").out


@pytest.mark.parametrize("verb", ["pause", "resume", "delete"])
def test_a_schedule_that_does_not_exist_is_a_wrong_request(on_kubeflow, applied, verb):
    refused = on_kubeflow("schedule", verb, "monthly")
    assert refused.code == 2
    assert "no schedule 'monthly': choose one that exists (weekly)" in refused.sentence


def test_a_zone_that_the_cluster_does_not_keep_is_refused(on_kubeflow, kubeflow):
    refused = on_kubeflow("schedule", "apply", "weekly", *CRON, "--timezone", "Europe/Paris")
    assert refused.code == 2
    assert "one time zone, here UTC, and can't keep Europe/Paris" in refused.sentence
    assert kubeflow.calls == []


def test_the_clusters_own_zone_is_kept(on_kubeflow, kubeflow):
    finished = on_kubeflow(
        "schedule",
        "apply",
        "weekly",
        *CRON,
        "--timezone",
        "Asia/Tokyo",
        "--set",
        "platform.kubeflow.timezone=Asia/Tokyo",
    )
    assert finished.out.count("03:00 JST (Sun 18:00 UTC)") == 3
    assert only(kubeflow.recurring_runs)["trigger"]["cron_schedule"]["cron"] == "0 0 3 * * 1"


@pytest.mark.parametrize(("status", "code"), [(401, 1), (403, 1), (404, 2), (500, 1)])
def test_a_refusal_is_one_sentence_with_the_right_code(on_kubeflow, kubeflow, status, code):
    kubeflow.fail("RecurringRunService_ListRecurringRuns", status, times=99)
    refused = on_kubeflow("schedule", "list")
    assert refused.code == code
    assert f"({status})" in refused.sentence
    assert len(refused.err.strip().splitlines()) == 1
