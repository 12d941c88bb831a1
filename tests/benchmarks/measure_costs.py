"""Measure the constants of the estimate: ``python -m tests.benchmarks.measure_costs``, about five minutes.

Prints the part of ``pipeline/estimate/constants.yaml`` that depends on the code and the machine. Everything is
processor time, which a busy machine disturbs less than time on the clock. Not collected by pytest.
"""

import argparse
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import yaml

STAGES = (
    "preprocess",
    "gates",
    "build_test_set",
    "split",
    "tune",
    "gather_hyperparameters",
    "train",
    "evaluate",
    "compare",
    "recommend",
    "promote",
    "track",
)
MODULES = {"gather_hyperparameters": "components.tune.gather", "promote": "components.promote.serving"}
SIDES = (32, 64, 224)
_LIKE_A_STAGE = """
import kfp.dsl.executor_main
from components.imports import lasting_imports
with lasting_imports():
    import {module}
"""


def child_seconds(code):
    """Return the processor time of a Python process that runs some code, the better of two."""
    seconds = []
    for _ in range(2):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        seconds.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return min(seconds)


def start_up():
    """Return the seconds that each stage's process takes to start and to end."""
    modules = {stage: MODULES.get(stage, f"components.{stage}.{stage}") for stage in STAGES}
    return {stage: round(child_seconds(_LIKE_A_STAGE.format(module=module)), 1) for stage, module in modules.items()}


def linear(points):
    """Return base and slope of seconds over megapixels, by least squares with neither below 0."""
    import numpy as np
    from scipy.optimize import nnls

    sides, seconds = np.array(sorted(points.items()), float).T
    # Relative errors count, or the largest size would decide alone.
    matrix = np.column_stack([np.ones_like(sides), sides**2 / 1e6]) / seconds[:, None]
    base, slope = nnls(matrix, np.ones_like(sides))[0]
    return {"base": float(f"{base:.3g}"), "per_megapixel": float(f"{slope:.3g}")}


def pictures():
    """Return the cost of drawing a synthetic picture."""
    from components.sources.synthetic import generate
    from components.sources.synthetic_settings import SyntheticSettings

    points = {}
    for side in (48, 200):
        settings = SyntheticSettings(faces=640, image_side=side)
        started = time.process_time()
        count = sum(1 for _ in generate(settings))
        points[side] = (time.process_time() - started) / count
    return linear(points)


def reading(folder, source):
    """Return the seconds that preprocess takes for one file, and leave its outputs in a folder."""
    from components.build_test_set.build_test_set import build_test_set
    from components.build_test_set.settings import BuildTestSetSettings
    from components.preprocess.preprocess import preprocess
    from components.preprocess.settings import PreprocessSettings
    from components.sources.source import parse_source
    from components.sources.synthetic_settings import SyntheticSettings
    from components.split.settings import SplitSettings
    from components.split.split import split

    paths = [str(folder / name) for name in ("images", "manifest", "rejects", "summary")]
    settings = PreprocessSettings(synthetic=SyntheticSettings(faces=1500, image_side=200))
    if source == "synthetic":
        # Drawing is not reading: the pictures are laid out as files first.
        source = folder / "faces"
        source.mkdir()
        for file in parse_source("synthetic").read(settings.limits, settings.synthetic):
            (source / file.name).write_bytes(file.content or b"")
    started = time.process_time()
    facts = preprocess(str(source), settings, *paths)
    seconds = (time.process_time() - started) / facts["files"]
    tables = [str(folder / name) for name in ("test", "pool", "test_summary", "train", "validation")]
    build_test_set(paths[1], BuildTestSetSettings(faces_per_cell=2, allow_shortfall=True), *tables[:3])
    split(tables[1], SplitSettings(), *tables[3:])
    return float(f"{seconds:.3g}")


def networks(folder):
    """Return the costs of decoding, training, validating, exporting and evaluating, and the memory of a batch."""
    import keras
    import numpy as np

    from components.dataset.images import read_encoded
    from components.dataset.manifest import Manifest
    from components.imbalance.registry import find_variant
    from components.model.serving import ServedModel, export
    from components.model.settings import Hyperparameters, ModelSettings
    from components.training.compiled import build_compiled, trained_network
    from components.training.data import load_training_data
    from components.training.fit import fit_network, seed_everything
    from components.training.recipe import Recipe
    from components.training.settings import TrainingSettings

    class Clock(keras.callbacks.Callback):
        def __init__(self):
            super().__init__()
            self.training, self.validation = [], []

        def on_epoch_begin(self, epoch, logs=None):
            self.mark = time.process_time()

        def on_test_begin(self, logs=None):
            now = time.process_time()
            self.training.append(now - self.mark)
            self.mark = now

        def on_epoch_end(self, epoch, logs=None):
            self.validation.append(time.process_time() - self.mark)

    seed_everything(1, deterministic=True)
    faces = Manifest.read(folder / "train")
    points = {name: {} for name in ("decode", "training", "validation", "evaluation")}
    fixed, memory = {name: [] for name in ("build", "export", "load", "repackage")}, {}
    for side in SIDES:
        count = 400 if side < 200 else 200
        train, validation = faces.subset(np.arange(count)), faces.subset(np.arange(count, 2 * count))
        model = ModelSettings(image_size=side, backbone_weights="none")
        recipe = Recipe(model=model, training=TrainingSettings(epochs=4 if side < 200 else 2))
        started = time.process_time()
        data = load_training_data(folder / "images", train, validation, find_variant("baseline"), recipe)
        points["decode"][side] = (time.process_time() - started) / (2 * count)
        started, clock = time.process_time(), Clock()
        network = build_compiled(data, recipe, Hyperparameters())
        built = time.process_time() - started
        fit_network(network, data, recipe, 1, [clock])
        points["training"][side] = min(clock.training[1:]) / count
        points["validation"][side] = min(clock.validation[1:]) / count
        memory[side] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
        fixed["build"].append(built + clock.training[0] + clock.validation[0] - clock.training[1] - clock.validation[1])
        started = time.process_time()
        export(trained_network(network), data.age_scale, side, folder / f"model{side}")
        fixed["export"].append(time.process_time() - started)
        started = time.process_time()
        served = ServedModel(folder / f"model{side}")
        served.predict(read_encoded(folder / "images", train.subset(np.arange(64))), 64)
        loaded = time.process_time()
        served.predict(read_encoded(folder / "images", validation), 64)
        points["evaluation"][side] = (time.process_time() - loaded) / count
        fixed["load"].append(loaded - started - 64 * points["evaluation"][side])
        fixed["repackage"].append(repackaging(folder / f"model{side}", len(train.labels.ethnicities)))
    seconds = {f"{name}_seconds": round(sorted(values)[1], 1) for name, values in fixed.items()}
    batch = (memory[SIDES[-1]] - memory[SIDES[0]]) / (64 * (SIDES[-1] ** 2 - SIDES[0] ** 2) / 1e6)
    sizes = {"network_memory_gb": round(memory[SIDES[0]], 2), "batch_memory_gb": round(batch, 3)}
    return {name: linear(sizes) for name, sizes in points.items()} | seconds | {"sizes": sizes}


def repackaging(model, classes):
    """Return the seconds that loading a model and exporting it with an adjustment takes."""
    from components.dataset.outputs import FOCUS
    from components.model.combining import PosthocAdjustment, export_combined

    started = time.process_time()
    adjustment = PosthocAdjustment(FOCUS, [1 / classes] * classes, tau=1.0, temperature=1.0)
    export_combined([(model, adjustment)], model.with_name(f"{model.name}-adjusted"))
    return time.process_time() - started


def comparing():
    """Return the seconds that a comparison takes, and takes more for each run and face."""
    from components.compare.comparison import build_comparison
    from components.compare.contract import RunPlace
    from components.compare.settings import CompareSettings
    from tests.components.simulation import simulate_dataset, simulate_predictions, simulate_run

    def seconds(variants, per_cell):
        predicted = [simulate_predictions(name, 1, per_cell=per_cell) for name in variants]
        runs, data = [simulate_run(one) for one in predicted], simulate_dataset(predicted[0])
        places = [
            RunPlace(variant=name, seed=1, model="", predictions="", validation_predictions="") for name in variants
        ]
        started = time.process_time()
        build_comparison(
            runs, data, CompareSettings(), expected=[(name, 1) for name in variants], searches={}, places=places
        )
        return time.process_time() - started

    few, names = seconds(["baseline", "ins"], 2), ["baseline", "ins", "downsample", "lmf"]
    many, faces = seconds(names, 20), 20 * 64
    slope = (many - few) / (4 * faces - 2 * 128)
    return {"seconds": round(max(0.0, few - slope * 256), 1), "per_run_and_face": float(f"{max(slope, 0):.3g}")}


def main():
    """Print the constants as YAML."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--source", default="synthetic", help="Faces to read and to train on.")
    source = parser.parse_args().source
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        measured = {
            "machine": f"{os.cpu_count()} cores, {platform.processor() or platform.machine()}",
            "date": f"{datetime.now(UTC):%Y-%m-%d}",
            "load": round(os.getloadavg()[0], 1),
            "start_seconds": start_up(),
            "picture": pictures(),
            "file_seconds": reading(folder, source),
            **networks(folder),
            "comparison": comparing(),
        }
    sys.stdout.write(yaml.safe_dump(measured, sort_keys=False))


if __name__ == "__main__":
    main()
