"""The estimate of a run: on this machine, or on a platform."""

from components.sources.source import Source
from pipeline.estimate.constants import read_constants
from pipeline.estimate.costs import Machine, plan_pods, plan_work
from pipeline.estimate.faces import count_faces
from pipeline.estimate.show import show_local, show_pods
from pipeline.settings import Settings


def estimate_here(source: Source, settings: Settings) -> None:
    """Print what a run on this machine takes, and start nothing."""
    constants = read_constants()
    faces = count_faces(source, settings, constants.sizes)
    show_local(faces, plan_work(settings, faces, constants), Machine.here(), constants)


def estimate_on(target: str, source: Source, settings: Settings) -> None:
    """Print what a run on a platform takes, and costs where the settings have prices; send nothing."""
    constants = read_constants()
    faces = count_faces(source, settings, constants.sizes)
    costs = plan_pods(settings, plan_work(settings, faces, constants), constants, settings.prices)
    show_pods(faces, costs, target, constants, settings.prices)
