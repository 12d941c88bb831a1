"""What the comparison says about the data on which the runs were trained and tested."""

from dataclasses import dataclass

import numpy as np

from components.compare.contract import CellShare, DatasetFacts, NaturalCoverage
from components.compare.measures import number
from components.dataset.manifest import Manifest
from components.dataset.summaries import PreprocessSummary, TestSetSummary
from components.evaluation.natural import NaturalPopulation


@dataclass(frozen=True)
class Dataset:
    """The data of a comparison.

    Attributes:
        manifest: All faces, before the test set was drawn.
        rejected: Number of input files that were not used.
        preprocess: What preprocess counted.
        test_set: What build_test_set counted.
    """

    manifest: Manifest
    train: Manifest
    validation: Manifest
    test: Manifest
    rejected: int
    preprocess: PreprocessSummary
    test_set: TestSetSummary


def describe_dataset(data: Dataset, population: NaturalPopulation) -> DatasetFacts:
    """Return the comparison's ``dataset``."""
    labels = data.manifest.labels
    tested = np.bincount(data.test.cells(), minlength=labels.cell_count)
    trained = np.bincount(data.train.cells(), minlength=labels.cell_count)
    total = population.population.sum()
    parts = {"manifest": data.manifest, "train": data.train, "validation": data.validation, "test": data.test}
    return DatasetFacts(
        fingerprint=data.manifest.fingerprint,
        faces=len(data.manifest),
        rejected=data.rejected,
        train=len(data.train),
        validation=len(data.validation),
        test=len(data.test),
        labels=labels,
        preprocess=data.preprocess,
        test_set=data.test_set,
        splits={name: _counts(part) for name, part in parts.items()},
        cells=[
            CellShare(
                name=labels.cell_name(cell),
                test=int(tested[cell]),
                train=int(trained[cell]),
                population=int(population.population[cell]),
                share=number(population.population[cell] / total),
            )
            for cell in range(labels.cell_count)
        ],
        unseen=_counts(data.test.subset(np.flatnonzero(trained[data.test.cells()] == 0))),
        natural=NaturalCoverage(
            covered_share=round(population.covered_share, 6), absent_cells=list(population.absent_cells)
        ),
    )


def _counts(manifest: Manifest) -> dict[str, dict[str, int]]:
    """Faces per class of each output, and per age bin."""
    counts = {}
    for column in manifest.labels.cell_columns:
        names = manifest.labels.names(column)
        faces = np.bincount(manifest.faces[column], minlength=len(names))
        counts[column] = dict(zip(names, faces.tolist(), strict=True))
    return counts
