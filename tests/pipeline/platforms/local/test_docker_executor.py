"""Stages in real containers: their end is reported as it was, and they see only what they should."""

import io
import os
import signal
import stat
import sys
import threading
import time

import kfp.local
import pytest
from docker.client import from_env
from docker.errors import DockerException
from kfp import dsl
from kfp.local import docker_task_handler

from components.errors import RequestError
from pipeline.platforms.local.display import Silence
from pipeline.platforms.local.docker_executor import DockerExecutor
from pipeline.platforms.local.docker_image import DockerImage, connect, find_image
from pipeline.platforms.local.interruption import Interrupted, interruptible
from pipeline.platforms.local.lock import locked
from pipeline.platforms.local.run_folder import RunFolder
from pipeline.platforms.local.run_log import RunLog
from pipeline.platforms.local.settings import DockerSettings
from pipeline.platforms.local.stage_container import run_stage_container
from pipeline.platforms.local.tasks import Task

BASE = "debian:bookworm-slim"

pytestmark = pytest.mark.docker


@pytest.fixture(scope="module")
def engine():
    try:
        client = from_env()
    except DockerException:
        pytest.skip("no Docker engine answers: start one, or run docker/engine.sh as root")
    if not any(BASE in image.tags for image in client.images.list()):
        client.close()
        pytest.skip(f"Docker holds no {BASE}: run docker/base-image.sh")
    yield client
    client.close()


@pytest.fixture
def containers(engine):
    def create(**settings):
        return DockerExecutor(find_image(engine, BASE), DockerSettings(gpus="none", **settings))

    return create


@pytest.fixture
def run_stage(containers, tmp_path):
    """Run one command as a KFP task and return the run's log, as `evenface run` keeps it."""

    def run(script, *, reads=(), **settings):
        @dsl.container_component
        def stage(table: dsl.Output[dsl.Dataset]):
            return dsl.ContainerSpec(image=BASE, command=["sh", "-c", script, "stage"], args=[table.path])

        log = RunLog(io.StringIO(), io.StringIO(), Silence(), 1)
        root = tmp_path / "state" / "artifacts"
        root.mkdir(parents=True, exist_ok=True)
        with (
            pytest.MonkeyPatch.context() as patch,
            containers(**settings).runner(list(reads), [root.parent]) as runner,
            log.watching(),
        ):
            patch.setattr(sys, "stdout", log)
            kfp.local.init(runner, pipeline_root=str(root), raise_on_error=False)
            stage()
        return log

    return run


def test_a_container_that_exits_3_at_once_is_reported_failed_20_times_of_20(run_stage):
    logs = [run_stage("exit 3") for _ in range(20)]
    assert [log.failed for log in logs] == [Task("stage")] * 20
    assert {log.cause for log in logs} == {"its container exited with code 3; it printed nothing"}


def test_a_container_that_writes_its_output_succeeds(run_stage, tmp_path):
    log = run_stage('mkdir -p "$(dirname "$1")"; echo rows > "$1"')
    assert log.failed is None
    assert [path.read_text() for path in tmp_path.rglob("table")] == ["rows\n"]


def test_a_failure_is_reported_with_the_last_log_lines(run_stage):
    log = run_stage("for line in one two three four; do echo $line; done; exit 4")
    assert log.cause == "its container exited with code 4; its last lines: two | three | four"


def test_an_error_that_the_stage_names_itself_is_the_cause(run_stage):
    log = run_stage("echo 'components.errors.DataError: There is no face in it: check the source.' >&2; exit 1")
    assert log.cause == "There is no face in it: check the source."


def test_a_container_killed_for_memory_says_so_and_how_to_give_it_more(run_stage):
    log = run_stage("tail /dev/zero", memory_gb=0.05)
    assert log.failed == Task("stage")
    assert log.cause == (
        "its container used more memory than its limit of 0.05 GB and was killed: raise platform.docker.memory_gb"
    )


def test_a_container_without_its_declared_output_is_a_failure(engine, tmp_path, capsys):
    wanted = tmp_path / "table"
    executor_input = f"""{{"outputs": {{"artifacts": {{
        "table": {{"artifacts": [{{"type": {{"schemaTitle": "system.Dataset"}}, "uri": "{wanted}"}}]}},
        "metrics": {{"artifacts": [{{"type": {{"schemaTitle": "system.Metrics"}}, "uri": "{wanted}.none"}}]}}}}}}}}"""
    command = ["true", "--executor_input", executor_input]
    assert run_stage_container(engine, BASE, command, {}) == 1
    assert "left no output table: see its log" in capsys.readouterr().out
    wanted.touch()
    assert run_stage_container(engine, BASE, command, {}) == 0


def test_an_image_that_the_engine_does_not_hold_is_a_failure_and_not_pulled(engine, capsys):
    assert run_stage_container(engine, "evenface:never-built", ["true"], {}) == 125
    assert "its container could not be run" in capsys.readouterr().out


def test_output_that_is_cut_within_a_character_or_is_no_text_is_still_logged(engine, capsys):
    script = r"printf '\303'; sleep 0.2; printf '\251t\303\251\n\377\n'"
    assert run_stage_container(engine, BASE, ["sh", "-c", script], {}) == 0
    assert capsys.readouterr().out.split() == ["été", "\N{REPLACEMENT CHARACTER}"]


def test_the_root_file_system_and_the_source_are_read_only_and_tmp_is_not(run_stage, tmp_path):
    source = tmp_path / "faces"
    source.mkdir()
    (source / "face.jpg").write_bytes(b"pixels")
    script = f"cat {source}/face.jpg; touch /tmp/scratch && echo tmp; touch {source}/other /usr/other; exit 1"
    log = run_stage(script, reads=[source])
    assert log.cause.count("Read-only file system") == 2
    assert "pixelstmp" in log.cause
    assert [path.name for path in source.iterdir()] == ["face.jpg"]


def test_a_container_has_no_capability_and_can_gain_none_whoever_the_caller_is(run_stage):
    log = run_stage("grep -E '^(CapPrm|CapEff|CapBnd|NoNewPrivs)' /proc/self/status | tr -d '\\t\\n'; exit 1")
    assert log.cause.count("0000000000000000") == 3
    assert "NoNewPrivs:1" in log.cause


@pytest.mark.skipif(os.getuid() != 0, reason="only root can stand in for another user")
def test_results_belong_to_the_caller(run_stage, tmp_path, monkeypatch):
    monkeypatch.setattr(os, "getuid", lambda: 12345)
    monkeypatch.setattr(os, "getgid", lambda: 54321)
    root = tmp_path / "state" / "artifacts"
    root.mkdir(parents=True)
    os.chown(root, 12345, 54321)
    log = run_stage('mkdir -p "$(dirname "$1")"; id -u > "$1"')
    assert log.failed is None, log.cause
    (table,) = tmp_path.rglob("table")
    assert (table.stat().st_uid, table.stat().st_gid, table.read_text()) == (12345, 54321, "12345\n")
    assert stat.S_ISREG(table.stat().st_mode)


def test_no_container_outlives_an_interrupted_run(engine, containers, tmp_path):
    executor, codes = containers(), []

    def run_until_interrupted():
        with executor.runner([], [tmp_path]) as runner, interruptible(executor.stop):
            arguments = engine, BASE, ["sleep", "600"], {}

            def run():
                # As KFP calls it, in a thread.
                codes.append(docker_task_handler.run_docker_container(*arguments, **runner.container_run_args))

            stage = threading.Thread(target=run)
            stage.start()
            while not engine.containers.list(filters={"label": "evenface.run"}):
                time.sleep(0.05)
            try:
                signal.raise_signal(signal.SIGINT)
            finally:
                stage.join()
                run()

    with pytest.raises(Interrupted):
        run_until_interrupted()
    assert not engine.containers.list(all=True, filters={"label": "evenface.run"})
    assert all(codes)
    assert len(codes) == 2


def test_the_containers_of_a_killed_run_are_removed_and_those_of_a_living_one_are_not(engine, containers, tmp_path):
    (tmp_path / "killed").touch()
    with locked(RunFolder(tmp_path / "lives")):
        left, kept = (
            engine.containers.create(BASE, ["true"], labels={"evenface.lock": str(lock)})
            for lock in (tmp_path / "killed", RunFolder(tmp_path / "lives").lock)
        )
        try:
            with containers().runner([], [tmp_path]):
                there = {container.id for container in engine.containers.list(all=True)}
        finally:
            kept.remove()
    assert kept.id in there
    assert left.id not in there


def test_a_run_leaves_no_container_and_no_volume(engine, run_stage):
    before = {volume.id for volume in engine.volumes.list()}
    run_stage("echo something > /tmp/scratch; exit 3")
    assert {volume.id for volume in engine.volumes.list()} <= before
    assert not engine.containers.list(all=True, filters={"label": "evenface.run"})


def build(engine, tag, *labels):
    recipe = "\n".join([f"FROM {BASE}", *(f"LABEL {label}" for label in labels)])
    engine.images.build(fileobj=io.BytesIO(recipe.encode()), tag=tag, rm=True)
    return tag


@pytest.mark.parametrize(
    ("labels", "sentence"),
    [
        (
            ("evenface.target=cpu", "evenface.sources=0123456789abcdef"),
            "was built from sources other than this checkout's: build it again with `make image`.",
        ),
        ((), "does not say which sources it holds: build it with `make image`."),
    ],
)
def test_a_stale_image_is_refused_with_the_cure(engine, labels, sentence):
    tag = build(engine, "evenface-test:stale", *labels)
    try:
        with pytest.raises(RequestError, match=r"^The image 'evenface-test:stale'") as refused:
            DockerExecutor.open(tag, DockerSettings())
        assert str(refused.value).endswith(sentence)
    finally:
        engine.images.remove(tag, force=True)


def test_a_missing_image_is_refused_with_the_cure(engine):
    with pytest.raises(RequestError, match="build it with `make image`"):
        DockerExecutor.open("evenface:never-built", DockerSettings())


def test_the_cache_key_is_the_images_content_and_not_its_name():
    image = DockerImage("evenface:cpu", "sha256:abc", "cpu", "0123", 1)
    assert DockerExecutor(image, DockerSettings()).image == "sha256:abc"


def test_the_engines_connection_is_the_users(engine):
    client = connect()
    assert client.ping()
    client.close()
