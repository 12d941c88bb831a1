"""What a training keeps while it runs, so that another process can end it with the same numbers."""

import hashlib
import io
import json
import logging
import math
import signal
import threading
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from importlib import metadata
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from components.training.callbacks import Resumable, State
from components.training.state_file import StateFile

_log = logging.getLogger(__name__)

_FORMAT = 2
_CODE = ("evenface", "keras", "tensorflow-cpu", "tensorflow")
_FACTS = ("stage", "first_epoch", "epoch", "step", "ended", "history")

Weights = list[npt.NDArray[Any]]


@dataclass(frozen=True)
class Progress:
    """A training at the end of an epoch, or between two steps of one.

    Attributes:
        stage: 0, or 1 in the second stage of a training that has one.
        first_epoch: Epochs that had ended when the stage began.
        epoch: Epochs that have ended, those of an earlier stage included.
        step: Steps that the next epoch has made already.
        ended: Whether the stage has ended, for want of epochs or of progress.
        history: Logs of the epochs that have ended, by name.
        variables: All variables of the model and its optimizer, those of random generators included; none before
            the first step, when they are what the model was built with.
        metrics: Variables of the metrics, which say what an unfinished epoch has seen; none between epochs.
        callbacks: What the callbacks know, by the name of their class.
    """

    stage: int
    first_epoch: int
    epoch: int
    step: int
    ended: bool
    history: Mapping[str, list[float]]
    variables: Weights = field(default_factory=list)
    metrics: Weights = field(default_factory=list)
    callbacks: Mapping[str, State] = field(default_factory=dict)

    @classmethod
    def beginning(cls, stage: int, epoch: int, history: Mapping[str, list[float]]) -> "Progress":
        """Return the progress of a stage that begins after some epochs with their history."""
        return cls(stage=stage, first_epoch=epoch, epoch=epoch, step=0, ended=False, history=history)

    def to_bytes(self) -> bytes:
        """Return a NumPy archive, whose checksums tell whether it is whole."""
        groups = {"variables": self.variables, "metrics": self.metrics}
        known = {name: list(state) for name, state in self.callbacks.items()}
        groups |= {f"{name}.{key}": values for name, state in self.callbacks.items() for key, values in state.items()}
        facts = {"format": _FORMAT, "callbacks": known, **{name: getattr(self, name) for name in _FACTS}}
        arrays = {f"{group}/{index}": value for group, values in groups.items() for index, value in enumerate(values)}
        content = io.BytesIO()
        np.savez(content, allow_pickle=False, facts=np.array(json.dumps(facts)), **arrays)
        return content.getvalue()

    @classmethod
    def from_bytes(cls, content: bytes) -> "Progress":
        """Read what :meth:`to_bytes` wrote.

        Raises:
            ValueError: If the content is damaged or of another format.
        """
        try:
            with np.load(io.BytesIO(content), allow_pickle=False) as archive:
                facts = json.loads(str(archive["facts"]))
                if facts.pop("format") != _FORMAT:
                    raise ValueError("another format")

                def read(group: str) -> Weights:
                    count = sum(name.startswith(f"{group}/") for name in archive.files)
                    return [archive[f"{group}/{index}"] for index in range(count)]

                known = facts.pop("callbacks")
                callbacks = {name: {key: read(f"{name}.{key}") for key in keys} for name, keys in known.items()}
                return cls(**facts, variables=read("variables"), metrics=read("metrics"), callbacks=callbacks)
        except (zipfile.BadZipFile, EOFError, KeyError, OSError, TypeError) as error:
            raise ValueError(str(error)) from error


@dataclass(frozen=True)
class Checkpoint:
    """The place where a training is kept.

    Two processes that train the same at the same time don't disturb each other: each state is written as a whole, and
    either's state is a state of both.

    Attributes:
        path: Local path or ``gs://`` URI of a file.
    """

    path: str

    @classmethod
    def of(cls, directory: str, name: str, *identity: Any) -> "Checkpoint":
        """Return the place of a training that is determined by an identity, a list of what JSON can hold.

        Args:
            directory: Local directory or ``gs://`` URI that outlives the stage.
            name: How the file's name begins.
            identity: Everything that determines the training; the libraries' versions are added.
        """
        versions = [f"{name} {_version(name)}" for name in _CODE]
        digest = hashlib.sha256(json.dumps([identity, versions], sort_keys=True).encode()).hexdigest()[:16]
        return cls(f"{directory.rstrip('/')}/{name}-{digest}.npz")

    def read(self) -> Progress | None:
        """Return where the training stands, or None if nothing (or nothing whole) is kept."""
        content = StateFile(self.path).read()
        try:
            return None if content is None else Progress.from_bytes(content)
        except ValueError as error:
            _log.warning("the unfinished training in %s is damaged (%s), so it starts again", self.path, error)
            return None

    def write(self, progress: Progress) -> None:
        """Keep where the training stands, in place of what was kept; a training that can't be kept goes on."""
        StateFile(self.path).write(progress.to_bytes())

    def remove(self) -> None:
        """Forget the training, which has ended."""
        StateFile(self.path).remove()


def _version(distribution: str) -> str:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return "none"


class Keeping(keras.callbacks.Callback):
    """Keeps a training after each of its epochs, and takes it up where another process left it.

    It comes after all callbacks that change the model or the logs.

    Args:
        checkpoint: Where to keep it; None keeps it in this process alone.
        progress: Where to take it up.
        epochs: The epoch at which the stage ends.
        resumable: The stage's callbacks that know something, each of a class of its own.

    Attributes:
        progress: Where the training stands.
    """

    def __init__(
        self,
        checkpoint: Checkpoint | None,
        progress: Progress,
        *,
        epochs: int,
        resumable: Sequence[Resumable],
    ) -> None:
        super().__init__()
        self.progress = progress
        self._checkpoint, self._epochs, self._resumable = checkpoint, epochs, resumable
        self._trains = False

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        """Restore the model and the callbacks, which have begun anew."""
        for variable, value in zip(self._variables(), self.progress.variables, strict=bool(self.progress.variables)):
            variable.assign(value)
        for callback in self._resumable:
            if (state := self.progress.callbacks.get(type(callback).__name__)) is not None:
                callback.restore(state)

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Restore what an unfinished epoch has seen."""
        if self.progress.step:
            for variable, value in zip(self.model.metrics_variables, self.progress.metrics, strict=True):
                variable.assign(value)
        self._trains = True

    def on_test_begin(self, logs: dict[str, float] | None = None) -> None:
        """Stop counting: the validation's faces are not steps."""
        self._trains = False

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Keep the training."""
        self._trains = False
        history = {name: [*self.progress.history.get(name, []), float(value)] for name, value in (logs or {}).items()}
        ended = bool(self.model.stop_training) or epoch + 1 == self._epochs
        self._keep(epoch=epoch + 1, step=0, ended=ended, history=history)

    def keep_interrupted(self, batch_size: int, steps: int) -> None:
        """Keep a training that was interrupted between two steps of an epoch.

        Interrupted elsewhere, in the validation say, it goes on from the end of the last epoch.

        Args:
            batch_size: Faces per step.
            steps: Steps of a whole epoch.
        """
        if not self._trains or self._checkpoint is None:
            return
        # The steps themselves count the faces that the loss is a mean of. A callback may miss the last step, and the
        # optimizer's iterations leave out those whose scaled loss overflows.
        made = math.ceil(float(_loss_mean(self.model).count.numpy()) / batch_size)
        if self.progress.step < made < steps:
            self._keep(step=made, metrics=_values(self.model.metrics_variables))

    def _keep(self, **changes: Any) -> None:
        self.progress = replace(self.progress, **{"metrics": [], **changes})
        if self._checkpoint is None:
            return
        known = {type(callback).__name__: callback.state() for callback in self._resumable}
        self.progress = replace(self.progress, variables=_values(self._variables()), callbacks=known)
        self._checkpoint.write(self.progress)

    def _variables(self) -> Sequence[keras.Variable]:
        optimizer = self.model.optimizer
        if not optimizer.built:
            optimizer.build(self.model.trainable_variables)
        return [*self.model.variables, *optimizer.variables]


def _values(variables: Sequence[keras.Variable]) -> Weights:
    return [np.copy(keras.ops.convert_to_numpy(variable)) for variable in variables]


def _loss_mean(model: keras.Model) -> keras.metrics.Mean:
    """Return the metric that Keras gives every model: the mean loss of the faces of an epoch so far."""
    return next(metric for metric in model.metrics if metric.name == "loss")


@contextmanager
def ends_on_sigterm() -> Iterator[None]:
    """Turn SIGTERM, which a cluster sends before it takes a node away, into SystemExit, once.

    Outside the main thread, where Python handles no signals, it changes nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def end(number: int, _: Any) -> None:
        signal.signal(number, signal.SIG_IGN)
        raise SystemExit(128 + number)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
