"""What this machine tells the doctor."""

import stat
from importlib import metadata
from types import SimpleNamespace

from pipeline.platforms.local.checks import check_disk, check_gpu, check_libraries


def put_on_path(monkeypatch, folder, name, script):
    program = folder / name
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")


def test_libraries_are_compared_with_the_nearest_lock(tmp_path):
    lock = tmp_path / "docker" / "requirements-cpu.txt"
    lock.parent.mkdir()
    lock.write_text(f"rich=={metadata.version('rich')} \\\n    --hash=sha256:00\n")
    assert check_libraries(tmp_path).passed
    lock.write_text("rich==0.0.1 \\\n    --hash=sha256:00\nnot-a-package==2 ; sys_platform == 'linux'\n")
    differing = check_libraries(tmp_path)
    assert differing.finding == f"rich {metadata.version('rich')}, not 0.0.1, not-a-package missing, not 2"
    assert differing.remedy == "run `make install`"


def test_a_gpu_is_named_and_a_broken_driver_noticed(monkeypatch, tmp_path):
    put_on_path(monkeypatch, tmp_path, "nvidia-smi", "echo 'Tesla T4, 15360 MiB, 550.54'")
    named = check_gpu()
    assert (named.passed, named.finding, named.required) == (True, "Tesla T4, 15360 MiB, 550.54", False)
    put_on_path(monkeypatch, tmp_path, "nvidia-smi", "exit 9")
    assert check_gpu().finding == "nvidia-smi fails"


def test_a_full_disk_fails(monkeypatch, tmp_path):
    for free, enough in ((4.9e9, False), (5.1e9, True)):
        usage = SimpleNamespace(free=free)
        monkeypatch.setattr("shutil.disk_usage", lambda path, usage=usage: usage)
        assert check_disk(tmp_path).passed is enough
