"""Schedules on Vertex AI: the real client against a server that speaks the service's own protocol."""

import grpc
import pytest

from components.errors import RequestError
from pipeline.platforms.schedules import Schedule
from pipeline.platforms.submission import Change, PlatformError
from tests.pipeline.platforms.vertex.vertex_case import platform, submission

WEEKLY = Schedule("weekly", "0 3 * * 1", "Europe/Paris", max_concurrency=2)


def apply(server, package, schedule=WEEKLY, **settings):
    return platform(server, **settings).schedules().apply(schedule, submission(package), print)


def only(server):
    (schedule,) = server.schedules.values()
    return schedule


def test_a_schedule_fires_in_its_own_time_zone_within_its_concurrency(server, package):
    assert apply(server, package) is Change.CREATED
    schedule = only(server)
    assert schedule.cron == "TZ=Europe/Paris 0 3 * * 1"
    assert schedule.max_concurrent_run_count == schedule.max_concurrent_active_run_count == 2
    assert not schedule.allow_queueing
    assert server.fire("weekly").runtime_config.parameter_values["source"] == "gs://faces/utkface"


def test_applying_twice_changes_nothing(server, package):
    apply(server, package)
    assert apply(server, package) is Change.UNCHANGED
    assert server.calls.count("CreateSchedule") == 1
    assert "UpdateSchedule" not in server.calls


@pytest.mark.parametrize(
    ("schedule", "settings"),
    [
        (Schedule("weekly", "0 4 * * 1", "Europe/Paris", 2), {}),
        (Schedule("weekly", "0 3 * * 1", "UTC", 2), {}),
        (Schedule("weekly", "0 3 * * 1", "Europe/Paris", 1), {}),
        (WEEKLY, {"labels": {"team": "vision"}}),
        (WEEKLY, {"allow_queueing": True}),
        (WEEKLY, {"service_account": "other@faces.iam.gserviceaccount.com"}),
    ],
)
def test_a_change_is_made_in_place(server, package, schedule, settings):
    apply(server, package)
    name = only(server).name
    assert apply(server, package, schedule, **settings) is Change.REPLACED
    assert only(server).name == name
    assert apply(server, package, schedule, **settings) is Change.UNCHANGED


def test_a_run_in_flight_survives_change_and_deletion(server, package):
    apply(server, package)
    run = server.fire("weekly")
    server.get_pipeline_job(run)
    apply(server, package, Schedule("weekly", "0 4 * * 1", "Europe/Paris", 2))
    platform(server).schedules().delete("weekly")
    assert run.state.name == "PIPELINE_STATE_RUNNING"
    assert "CancelPipelineJob" not in server.calls


def test_a_change_made_in_the_console_is_undone(server, package):
    apply(server, package)
    only(server).max_concurrent_active_run_count = 7
    assert apply(server, package) is Change.REPLACED
    assert only(server).max_concurrent_active_run_count == 2


def test_pause_and_resume_without_catching_up(server, package):
    vertex = platform(server).schedules()
    apply(server, package)
    vertex.pause("weekly")
    vertex.pause("weekly")
    assert vertex.states()[0].paused
    vertex.resume("weekly")
    assert not vertex.states()[0].paused
    assert not only(server).catch_up


def test_a_paused_schedule_stays_paused_when_changed(server, package):
    apply(server, package)
    platform(server).schedules().pause("weekly")
    apply(server, package, Schedule("weekly", "0 4 * * 1", "Europe/Paris", 2))
    assert platform(server).schedules().states()[0].paused


def test_the_list_has_evenfaces_own_schedules_over_all_pages(server, package):
    for name in ("weekly", "daily", "monthly"):
        apply(server, package, Schedule(name, "0 3 * * 1", "Europe/Paris", 1))
    apply(server, package, Schedule("foreign", "0 3 * * 1", "UTC", 1))
    foreign = next(schedule for schedule in server.schedules.values() if schedule.display_name == "foreign")
    del foreign.create_pipeline_job_request.pipeline_job.labels["evenface-schedule"]
    server.fire("weekly")
    states = platform(server).schedules().states()
    assert [state.schedule.name for state in states] == ["daily", "monthly", "weekly"]
    assert states[2].schedule == Schedule("weekly", "0 3 * * 1", "Europe/Paris", 1)
    assert states[2].note == "1 run started"


def test_a_deleted_schedule_is_gone(server, package):
    apply(server, package)
    platform(server).schedules().delete("weekly")
    assert not server.schedules
    with pytest.raises(RequestError, match="no schedule called weekly"):
        platform(server).schedules().pause("weekly")


def test_a_deletion_that_takes_too_long_is_said_to(server, package):
    apply(server, package)
    server.stalled = True
    with pytest.raises(PlatformError, match="takes longer than 0.5 s to delete the schedule weekly"):
        platform(server, request_seconds=0.5).schedules().delete("weekly")


def test_a_name_that_belongs_to_another_is_left_alone(server, package):
    apply(server, package)
    del only(server).create_pipeline_job_request.pipeline_job.labels["evenface-schedule"]
    for change in (
        lambda: apply(server, package),
        lambda: platform(server).schedules().delete("weekly"),
    ):
        with pytest.raises(RequestError, match="evenface did not make.*choose another name"):
            change()
    assert len(server.schedules) == 1


def test_two_schedules_of_one_name_are_not_guessed_between(server, package):
    apply(server, package)
    twin = type(only(server))(only(server))
    twin.name += "0"
    server.schedules[twin.name] = twin
    with pytest.raises(RequestError, match="2 schedules called weekly.*delete"):
        apply(server, package)
    platform(server).schedules().delete("weekly")
    assert not server.schedules


@pytest.mark.parametrize("method", ["CreateSchedule", "ListSchedules", "PauseSchedule", "DeleteSchedule"])
@pytest.mark.parametrize("code", [None, grpc.StatusCode.UNAVAILABLE])
def test_an_answer_lost_on_the_way_does_no_harm(server, package, method, code):
    server.order(method, code, done_first=True)
    assert apply(server, package) is Change.CREATED
    assert len(server.schedules) == 1
    platform(server).schedules().pause("weekly")
    assert platform(server).schedules().states()[0].paused
    platform(server).schedules().delete("weekly")
    assert not server.schedules


def test_an_answer_lost_on_the_way_of_a_change_does_no_harm(server, package):
    apply(server, package)
    server.order("UpdateSchedule", None, done_first=True)
    assert apply(server, package, Schedule("weekly", "0 4 * * 1", "Europe/Paris", 2)) is Change.REPLACED
    assert only(server).cron == "TZ=Europe/Paris 0 4 * * 1"


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (grpc.StatusCode.UNAUTHENTICATED, "gcloud auth"),
        (grpc.StatusCode.PERMISSION_DENIED, "ask for the role"),
        (grpc.StatusCode.NOT_FOUND, "check platform.vertex.project"),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, "no quota left"),
        (grpc.StatusCode.INTERNAL, "failed to list the schedules"),
    ],
)
def test_a_refused_schedule_is_one_sentence_with_its_cure(server, package, code, words):
    server.order("ListSchedules", code, times=99)
    with pytest.raises(PlatformError, match=words):
        apply(server, package, retry_seconds=0.3)
    assert not server.schedules
