"""A parallel search in KerasTuner's distributed mode: this process is the chief, its children are the workers.

The chief holds the oracle, which says what is tried next, and answers over gRPC. Its own ``Tuner.search`` is not
used: it ends by polling every 20 seconds for workers that may have died, and never ends then; and it may end before
a slow worker has started, which then waits an hour for an answer.
"""

import contextlib
import logging
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import grpc
import keras_tuner
import tensorflow as tf
from keras_tuner.src import protos
from keras_tuner.src.distribute.oracle_chief import OracleServicer

from components.errors import DataError, RequestError
from components.tune.search import Search
from components.tune.settings import SearchSpace
from components.tune.trial import read_hyperparameters

_log = logging.getLogger(__name__)

_HOST = "127.0.0.1"
_POLL_SECONDS = 0.2


def search_in_parallel(search: Search) -> keras_tuner.Oracle:
    """Run ``parallel_trials`` trials at a time, each in a process with a GPU of its own or its share of the cores.

    The images are decoded once, here; the workers map the same file. A worker that is killed, for want of
    memory say, fails its trial and is started again. Workers end when this process does, however it ends.

    Args:
        search: A search whose ``decoded`` is a directory.

    Returns:
        The oracle that knows all trials.

    Raises:
        RequestError: If the machine has GPUs, but fewer than trials are to run at once.
        DataError: If a worker ends with an error of its own, rather than of one of its trials.
    """
    workers = search.settings.parallel_trials
    gpus = _gpus(workers)
    search.load_data()
    search.take_up()
    tuner = keras_tuner.BayesianOptimization(_Space(search.settings.space), **search.arguments())
    search.resume(tuner.oracle)
    tuner.oracle.verbose = 0
    tuner.save()
    _keep_when_saved(tuner.oracle, search)
    with _served(tuner.oracle) as port:
        _Workers(search, tuner.oracle, port, gpus).run(workers)
    return tuner.oracle


class _Space(keras_tuner.HyperModel):
    """Tells the chief what is searched; networks are the workers' business."""

    def __init__(self, space: SearchSpace) -> None:
        super().__init__()
        self.space = space

    def build(self, hp: keras_tuner.HyperParameters) -> None:
        read_hyperparameters(hp, self.space)


class _Workers:
    """The processes that run the trials."""

    def __init__(self, search: Search, oracle: keras_tuner.Oracle, port: int, gpus: list[str]) -> None:
        self.search = search
        self.oracle = oracle
        self.port = port
        self.gpus = gpus
        self.running: dict[int, subprocess.Popen[str]] = {}

    def run(self, count: int) -> None:
        """Start the workers and wait until all have ended because no trial is left."""
        try:
            for index in range(count):
                self._start(index, count)
            while self.running:
                time.sleep(_POLL_SECONDS)
                for index, process in list(self.running.items()):
                    if process.poll() is not None:
                        del self.running[index]
                        if process.returncode:
                            self._fail_trial(index, process.returncode)
                            self._start(index, count)
        finally:
            for process in self.running.values():
                process.kill()
                process.wait()

    def _start(self, index: int, count: int) -> None:
        environment = {
            **os.environ,
            "KERASTUNER_TUNER_ID": _tuner_id(index),
            "KERASTUNER_ORACLE_IP": _HOST,
            "KERASTUNER_ORACLE_PORT": str(self.port),
            "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
            # gRPC would look for the chief behind the proxy that a cluster's environment may name.
            "no_grpc_proxy": _HOST,
        }
        if self.gpus:
            environment["CUDA_VISIBLE_DEVICES"] = self.gpus[index]
        command = [sys.executable, "-m", "components.tune.worker"]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, text=True, env=environment)  # noqa: S603
        self.running[index] = process
        assert process.stdin is not None  # noqa: S101 - a pipe was asked for
        threads = max(1, _cores() // count)
        with contextlib.suppress(BrokenPipeError):  # Its exit code tells more.
            process.stdin.write(f"{self.search.model_dump_json()}\n{threads}\n")
            process.stdin.flush()

    def _fail_trial(self, index: int, code: int) -> None:
        """Record the trial that a killed worker was running as failed."""
        trial = self.oracle.ongoing_trials.get(_tuner_id(index))
        if code > 0 or trial is None:
            ended = f"exit code {code}" if code > 0 else f"signal {-code}"
            raise DataError(f"A worker of the search ended with {ended}", remedy="see its error in the log above")
        number, reason = int(trial.trial_id) + 1, f"its process was ended by signal {-code}, perhaps for want of memory"
        values = read_hyperparameters(trial.hyperparameters, self.search.settings.space).model_dump()
        self.search.log.fail(number, values, reason)
        _log.warning("tuning %s, trial %d failed: %s", self.search.variant, number, reason)
        trial.status, trial.message = "FAILED", reason
        self.oracle.end_trial(trial)


def _keep_when_saved(oracle: keras_tuner.Oracle, search: Search) -> None:
    """Keep the search whenever a trial begins or ends, while the oracle answers nobody else."""
    save = oracle.save

    def save_and_keep() -> None:
        save()
        search.keep()

    oracle.save = save_and_keep


@contextlib.contextmanager
def _served(oracle: keras_tuner.Oracle) -> Iterator[int]:
    """Answer the workers' questions to an oracle, and give the port."""
    # One thread, so that the oracle answers one question at a time.
    server = grpc.server(ThreadPoolExecutor(max_workers=1))
    protos.get_service_grpc().add_OracleServicer_to_server(OracleServicer(oracle), server)
    port: int = server.add_insecure_port(f"{_HOST}:0")
    server.start()
    try:
        yield port
    finally:
        server.stop(grace=None)


def _tuner_id(index: int) -> str:
    return f"worker{index}"


def _gpus(workers: int) -> list[str]:
    """Return a GPU for each worker, as CUDA names it; none on a machine without GPUs. This process lets go of them."""
    devices = tf.config.list_physical_devices("GPU")
    if not devices:
        return []
    if len(devices) < workers:
        found = "1 GPU" if len(devices) == 1 else f"{len(devices)} GPUs"
        raise RequestError(
            f"tune.parallel_trials is {workers}, but this machine has {found}",
            remedy=f"set tune.parallel_trials to {len(devices)}, or give the stage a GPU for each trial",
        )
    # TensorFlow would otherwise take all their memory to decode the images.
    tf.config.set_visible_devices([], "GPU")
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    return visible.split(",") if visible else [str(number) for number in range(len(devices))]


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
