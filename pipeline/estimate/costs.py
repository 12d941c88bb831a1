"""What each stage of a run costs: steps, images, time, memory, disk."""

import math
import os
from collections.abc import Callable
from dataclasses import dataclass, replace

from components.imbalance.registry import find_variant
from pipeline.estimate.constants import Constants
from pipeline.estimate.faces import Faces
from pipeline.platforms.local.threads import SIDE_BY_SIDE
from pipeline.platforms.prices import Prices
from pipeline.platforms.resources import StageResources
from pipeline.settings import Settings

_SIDE = 224
"""Image side at which the speed of GPUs is stated."""


@dataclass(frozen=True)
class Range:
    """At least and at most: early stopping may end a training long before its last epoch."""

    low: float
    high: float

    def __add__(self, other: "Range") -> "Range":
        """Return the sum of two amounts."""
        return Range(self.low + other.low, self.high + other.high)

    def __mul__(self, factor: float) -> "Range":
        """Return a multiple of the amount."""
        return Range(self.low * factor, self.high * factor)


ZERO = Range(0, 0)


@dataclass(frozen=True)
class Work:
    """What one stage has to do, whatever does it.

    Attributes:
        stage: Name of the stage.
        tasks: Processes or pods: one for each search, training run and evaluation, one for any other stage.
        steps: Batches that networks are trained on, all tasks together.
        images: Images that are read, trained on, validated on or scored, all tasks together.
        alone: Processor seconds that one core takes and no other can share, all tasks together.
        shared: Processor seconds that all cores share, all tasks together.
        training: The part of ``shared`` that a GPU does, and does faster.
        side: Image side of the network.
        memory_gb: Peak memory of one task.
        disk_gb: What one task writes and removes again.
        kept_gb: What stays of all tasks.
        parts: Processes with a GPU each that share one task, at most.
        parallelism: Tasks that the settings let run at once; None for as many as the platform runs.
    """

    stage: str
    tasks: int
    steps: Range
    images: Range
    alone: float
    shared: Range
    training: Range = ZERO
    side: int = _SIDE
    memory_gb: float = 0
    disk_gb: float = 0
    kept_gb: float = 0
    parts: int = 1
    parallelism: int | None = None

    @property
    def cpu_seconds(self) -> Range:
        """Processor seconds of all tasks without a GPU."""
        return self.shared + Range(self.alone, self.alone)

    def tasks_at_once(self, most: int) -> int:
        """Return how many of its tasks run at once where a platform runs at most so many."""
        return min(self.tasks, self.parallelism or most, most)

    def local_seconds(self, cores: int) -> Range:
        """Return the time that the stage takes on one machine without a GPU."""
        at_once = min(self.tasks_at_once(SIDE_BY_SIDE) * self.parts, cores)
        return self.shared * (1 / cores) + Range(self.alone / at_once, self.alone / at_once)

    def pod_seconds(self, resources: StageResources, constants: Constants) -> Range:
        """Return the time that one of its tasks takes in a pod."""
        cores = max(1.0, math.floor(resources.cpu))
        alone = self.alone / self.parts
        if resources.accelerator is None:
            return (self.shared * (1 / cores) + Range(alone, alone)) * (1 / self.tasks)
        # How many faces a second a GPU takes says how much of a core's second it does in one of its own.
        speed = constants.accelerator_images_per_second[resources.accelerator] * constants.training.at(_SIDE)
        # Parallel trials have a GPU each; a training alone shares every batch among all of them.
        gpus = min(self.parts, resources.accelerator_count) if self.parts > 1 else resources.accelerator_count
        rest = self.shared + self.training * -1
        return (self.training * (1 / (speed * gpus)) + rest * (1 / cores) + Range(alone, alone)) * (1 / self.tasks)


def plan_work(settings: Settings, faces: Faces, constants: Constants) -> list[Work]:
    """Return what each stage has to do, in the pipeline's order."""
    planner = _Planner(settings, faces, constants)
    works = [
        planner.preprocess(),
        *([planner.merge_parts()] if settings.preprocess.parts > 1 else []),
        planner.table_stage("gates"),
        planner.table_stage("build_test_set"),
        planner.table_stage("split"),
        planner.tune(),
        planner.table_stage("gather_hyperparameters"),
        planner.train(),
        planner.evaluate(),
        planner.compare(),
        planner.recommend(),
        *([planner.promote()] if settings.promotion.registry is not None else []),
        *([planner.track()] if settings.tracking.mlflow_uri is not None else []),
    ]
    return [replace(work, parallelism=settings.platform.parallelism) for work in works]


@dataclass(frozen=True)
class Machine:
    """What this machine has."""

    cores: int
    memory_gb: float | None

    @classmethod
    def here(cls) -> "Machine":
        """Return the cores that this process may use, and the machine's memory where it can be told."""
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        try:
            memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
        except (AttributeError, ValueError, OSError):
            memory = None
        return cls(cores, memory)


class _Planner:
    """The costs of the stages of one run."""

    def __init__(self, settings: Settings, faces: Faces, constants: Constants) -> None:
        self.settings = settings
        self.faces = faces
        self.constants = constants
        self.sizes = constants.sizes
        self.side = settings.model.image_size

    def preprocess(self) -> Work:
        files, parts, drawn = self.faces.files, self.settings.preprocess.parts, 0.0
        if self.settings.source == "synthetic":
            drawn = self.constants.picture.at(self.settings.preprocess.synthetic.image_side) * files
        read = self.constants.file_seconds * files
        images = Range(files, files)
        # Synthetic pictures are drawn by one thread, and all of them for every part.
        alone = (self.constants.start_seconds["preprocess"] + drawn) * parts
        kept = self.faces.megabytes / 1e3
        memory = self.sizes.table_memory_gb
        return Work("preprocess", parts, ZERO, images, alone, Range(read, read), memory_gb=memory, kept_gb=kept)

    def merge_parts(self) -> Work:
        files = self.faces.files
        alone = self.constants.start_seconds["preprocess"] + self.constants.merge_seconds * files
        memory, kept = self.sizes.table_memory_gb, self.faces.megabytes / 1e3
        return Work("merge_parts", 1, ZERO, Range(files, files), alone, ZERO, memory_gb=memory, kept_gb=kept)

    def table_stage(self, stage: str) -> Work:
        alone = self.constants.start_seconds[stage]
        return Work(stage, 1, ZERO, ZERO, alone, ZERO, memory_gb=self.sizes.table_memory_gb)

    def tune(self) -> Work:
        section, variants = self.settings.tune, self.settings.tuned_variants()
        if section.fixed is not None:
            alone = self.constants.start_seconds["tune"] * len(variants)
            memory = self.sizes.network_memory_gb
            return Work("tune", len(variants), ZERO, ZERO, alone, ZERO, memory_gb=memory)
        searches = [self._fit(variant, section.epochs) * section.trials for variant in variants]
        workers = section.parallel_trials if section.parallel_trials > 1 else 0
        # KerasTuner builds one network before the first trial.
        builds = len(variants) * (section.trials + 1 - bool(workers)) * self.constants.build_seconds
        starts = len(variants) * (workers + 1) * self.constants.start_seconds["tune"]
        return self._network_stage(
            "tune",
            searches,
            alone=builds + starts,
            kept_gb=len(variants) * section.parallel_trials * self.sizes.unfinished_megabytes / 1e3,
            parts=section.parallel_trials,
        )

    def train(self) -> Work:
        runs = [self._fit(run["variant"], self.settings.training.epochs) for run in self.settings.runs()]
        fixed = self.constants.build_seconds + self.constants.export_seconds + self.constants.start_seconds["train"]
        # A local run keeps a model twice: with the finished stage, and where the user looks for it.
        kept = 2 * len(runs) * self.sizes.model_megabytes / 1e3
        return self._network_stage("train", runs, alone=fixed * len(runs), kept_gb=kept)

    def evaluate(self) -> Work:
        tasks = len(self.settings.runs())
        scored = self.faces.test + self.faces.validation
        images = Range(scored, scored) * tasks
        alone = tasks * (self.constants.start_seconds["evaluate"] + self.constants.load_seconds)
        seconds = images * self.constants.evaluation.at(self.side)
        memory = self._batch_memory(self.settings.evaluate.batch_size)
        return Work("evaluate", tasks, ZERO, images, alone, seconds, side=self.side, memory_gb=memory)

    def compare(self) -> Work:
        scored = len(self.settings.runs())
        if self._averages:
            # The whole ensemble, and the ensemble without each network.
            scored += len(self.settings.variants) * (len(self.settings.seeds) + 1)
        pairs = scored * (self.faces.test + self.faces.validation)
        seconds = self.constants.comparison.seconds + pairs * self.constants.comparison.per_run_and_face
        alone = self.constants.start_seconds["compare"] + seconds * self.settings.compare.resamples / 2000
        memory = self.sizes.table_memory_gb + pairs / 1e6 * self.sizes.comparison_memory_gb
        return Work("compare", 1, ZERO, Range(pairs, pairs), alone, ZERO, memory_gb=memory)

    @property
    def _averages(self) -> bool:
        """Whether ensembles are compared, and may be what is packaged."""
        return self.settings.compare.ensembles and len(self.settings.seeds) > 1

    def recommend(self) -> Work:
        networks = len(self.settings.seeds) if self._averages else 1
        images = Range(self.faces.test, networks * self.faces.test)
        # A plain row's model is only copied; which row it will be, nobody knows.
        fixed = self.constants.start_seconds["recommend"] + self.constants.repackage_seconds
        fixed += self.constants.load_seconds
        seconds = images * self.constants.evaluation.at(self.side)
        memory = self._batch_memory(self.settings.evaluate.batch_size)
        kept = 2 * networks * self.sizes.model_megabytes / 1e3
        return Work("recommend", 1, ZERO, images, fixed, seconds, side=self.side, memory_gb=memory, kept_gb=kept)

    def promote(self) -> Work:
        # The champion is scored too, if there is one.
        models = Range(1, 2)
        images = models * self.faces.test
        fixed = self.constants.start_seconds["promote"] + models.high * self.constants.load_seconds
        fixed += self.constants.comparison.seconds
        seconds = images * self.constants.evaluation.at(self.side)
        memory = self._batch_memory(self.settings.evaluate.batch_size)
        fetched = models.high * self.sizes.model_megabytes / 1e3
        return Work("promote", 1, ZERO, images, fixed, seconds, side=self.side, memory_gb=memory, disk_gb=fetched)

    def track(self) -> Work:
        alone = self.constants.start_seconds["track"]
        return Work("track", 1, ZERO, ZERO, alone, ZERO, memory_gb=self.sizes.table_memory_gb)

    def _network_stage(self, stage: str, fits: list["_Fit"], alone: float, kept_gb: float, parts: int = 1) -> Work:
        """Return a stage whose tasks each decode the faces once and fit networks."""
        largest = max(fit.faces for fit in fits) + self.faces.validation
        decoded = sum(fit.faces + self.faces.validation for fit in fits) * self.constants.decode.at(self.side)
        training = sum((fit.seconds for fit in fits), ZERO)
        return Work(
            stage,
            len(fits),
            steps=sum((fit.steps for fit in fits), ZERO),
            images=sum((fit.images for fit in fits), ZERO),
            alone=alone,
            shared=training + Range(decoded, decoded),
            training=training,
            side=self.side,
            memory_gb=self._batch_memory(self._batch_size) * max(1, parts),
            disk_gb=largest * 3 * self.side**2 / 1e9,
            kept_gb=kept_gb,
            parts=parts,
        )

    @property
    def _batch_size(self) -> int:
        size = self.settings.training.batch_size
        # What is found automatically is known only where it runs.
        return 64 if size == "auto" else size

    def _batch_memory(self, batch_size: int) -> float:
        return self.sizes.network_memory_gb + batch_size * self.side**2 / 1e6 * self.sizes.batch_memory_gb

    def _fit(self, variant: str, epochs: int) -> "_Fit":
        cures = find_variant(variant)
        faces = self.faces.train.get(cures.cure("resampling"), self.faces.train["none"])
        training = self.settings.training
        # Deferred re-weighting trains to the end; any other training may stop after its first good epoch.
        deferred = any("drw" in cures.cure_names(slot) for slot in cures.cures)
        # A second stage trains the heads alone; its epochs are counted in full, which is a little too much.
        again = int(self.settings.imbalance.of_variant(cures).get("crt.epochs", 0))
        run = Range((epochs if deferred else min(epochs, training.patience + 1)) + again, epochs + again)
        seconds = faces * self.constants.training.at(self.side)
        seconds += self.faces.validation * self.constants.validation.at(self.side)
        steps = math.ceil(faces / self._batch_size)
        return _Fit(faces, run * steps, run * (faces + self.faces.validation), run * seconds)


@dataclass(frozen=True)
class _Fit:
    """One training of a network on some faces."""

    faces: int
    steps: Range
    images: Range
    seconds: Range

    def __mul__(self, times: int) -> "_Fit":
        return _Fit(self.faces, self.steps * times, self.images * times, self.seconds * times)


@dataclass(frozen=True)
class PodCost:
    """What the tasks of one stage cost on a platform.

    Attributes:
        work: What they do.
        resources: What each of them is given.
        seconds: How long one of them runs.
        price: What all of them cost; None without prices.
    """

    work: Work
    resources: StageResources
    seconds: Range
    price: Range | None

    @property
    def pod_hours(self) -> Range:
        """Hours of all tasks together."""
        return self.seconds * (self.work.tasks / 3600)

    @property
    def at_once(self) -> int:
        """Pods that run at once."""
        return self.work.tasks_at_once(self.work.tasks)

    @property
    def elapsed(self) -> Range:
        """Seconds from the first task's start to the last one's end."""
        return self.seconds * math.ceil(self.work.tasks / self.at_once)


def plan_pods(settings: Settings, works: list[Work], constants: Constants, prices: Prices | None) -> list[PodCost]:
    """Return what each stage costs on a platform."""

    def cost(work: Work) -> PodCost:
        resources = settings.resources.of(work.stage)
        seconds = work.pod_seconds(resources, constants)
        hourly = None if prices is None else prices.per_hour(resources)
        return PodCost(work, resources, seconds, None if hourly is None else seconds * (work.tasks / 3600 * hourly))

    return [cost(work) for work in works]


def add_up(works: list[Work], amount: Callable[[Work], Range]) -> Range:
    """Return the sum of an amount over all stages."""
    return sum((amount(work) for work in works), ZERO)
