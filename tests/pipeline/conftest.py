"""The command line within the test's own process, and a Kubeflow for it to talk to."""

import inspect
import sys
from dataclasses import dataclass
from functools import partial

import pytest

from pipeline import cli
from tests.pipeline.platforms.kubeflow.kubeflow_server import KubeflowServer


@dataclass(frozen=True)
class Finished:
    """What a command left: its exit code and what it printed."""

    code: int
    out: str
    err: str

    @property
    def sentence(self):
        """The last line of standard error."""
        return self.err.strip().splitlines()[-1]


@pytest.fixture(autouse=True, scope="session")
def stack_without_sources():
    """Spare KFP the source of each frame of pytest's deep stack, which makes compiling 20 times as slow.

    KFP asks for the whole stack at every setting of a task, only to name the caller in an error.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(inspect, "stack", partial(inspect.stack, 0))
        yield


@pytest.fixture
def command(monkeypatch, capsys):
    """Give the command line as a function that starts in no time, exit codes included."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["evenface", *map(str, arguments)])
        code = 0
        try:
            cli.main()
        except SystemExit as exit_:
            code = int(exit_.code or 0)
        return Finished(code, *capsys.readouterr())

    return run


@pytest.fixture
def kubeflow(monkeypatch):
    """Give a Kubeflow on the loopback; afterwards, nobody may have broken the API's description."""
    for name in (
        "EVENFACE_KUBEFLOW_TOKEN",
        "KF_PIPELINES_ENDPOINT",
        "KF_PIPELINES_UI_ENDPOINT",
        "KF_PIPELINES_NAMESPACE",
    ):
        monkeypatch.delenv(name, raising=False)
    with KubeflowServer() as server:
        yield server
    assert server.violations == []


@pytest.fixture
def on_kubeflow(command, kubeflow):
    """Give commands that talk to the test's Kubeflow."""

    def run(*arguments):
        settings = (f"platform.kubeflow.host={kubeflow.host}", "platform.kubeflow.poll_seconds=0.01")
        options = [option for setting in settings for option in ("--set", setting)]
        return command(*arguments, "--target", "kubeflow", "--preset", "demo", *options)

    return run
