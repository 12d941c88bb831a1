"""The estimate of a run: on this machine, or on a platform."""

from dataclasses import dataclass

from components.errors import RequestError
from components.sources.source import Source
from pipeline.estimate.constants import read_constants
from pipeline.estimate.costs import Machine, Range, add_up, plan_pods, plan_work
from pipeline.estimate.faces import count_faces
from pipeline.estimate.show import show_local, show_pods, show_time
from pipeline.settings import Settings


def estimate_here(source: Source, settings: Settings) -> None:
    """Print what a run on this machine takes, and start nothing."""
    constants = read_constants()
    faces = count_faces(source, settings, constants.sizes)
    show_local(faces, plan_work(settings, faces, constants), Machine.here(), constants)


@dataclass(frozen=True)
class Expectation:
    """What a run on this machine is expected to take.

    Attributes:
        seconds: Seconds that one task of each stage takes, were it alone.
        sentence: The whole run's time, for people.
    """

    seconds: dict[str, float]
    sentence: str


def expect_here(source: Source, settings: Settings) -> Expectation:
    """Return what a run on this machine takes, without the details of :func:`estimate_here`.

    Raises:
        RequestError: If the names of the files already tell that the run would fail.
    """
    constants, machine = read_constants(), Machine.here()
    faces = count_faces(source, settings, constants.sizes)
    if faces.files == 0:
        raise RequestError(f"The source {source.name} holds no file", remedy="fill it, or pass --source another one")
    for name, rows in faces.unlabelled.items():
        if rows > settings.preprocess.max_reject_fraction * faces.files:
            raise RequestError(
                f"{rows} of the {faces.files} rows of {source.name} state no {name}",
                remedy=f"add it, name another column with preprocess.table.{name}, or take {name} out of "
                "preprocess.outputs",
            )
    if faces.short:
        problem = f"{faces.short} of the test set's {faces.cells} cells have too few faces, whatever their files hold"
        raise RequestError(problem, remedy="lower build_test_set.faces_per_cell, or set build_test_set.allow_shortfall")
    works = plan_work(settings, faces, constants)
    total = add_up(works, lambda work: work.local_seconds(machine.cores))
    total += Range(constants.run_seconds, constants.run_seconds)
    seconds = {work.stage: work.local_seconds(machine.cores).high / work.tasks for work in works}
    cores = f"{machine.cores} core{'' if machine.cores == 1 else 's'}"
    sentence = f"{faces.files:,} files; expect {show_time(total)} on {cores} (--estimate says more)."
    return Expectation(seconds, sentence)


def estimate_on(target: str, source: Source, settings: Settings) -> None:
    """Print what a run on a platform takes, and costs where the settings have prices; send nothing."""
    constants = read_constants()
    faces = count_faces(source, settings, constants.sizes)
    costs = plan_pods(settings, plan_work(settings, faces, constants), constants, settings.prices)
    show_pods(faces, costs, target, constants, settings.prices)
