"""Is one variant better than another on the same faces, or was it luck?

The null hypothesis of every test here: the two variants are exchangeable on each face, so which of
the two gave which answer is a coin toss per face. Under it,

- the difference in correct answers of two networks follows McNemar's test, whose exact form is a binomial
  test on the faces where exactly one is right (McNemar 1947);
- any other metric has a reference distribution that swapping the two variants' answers face by face
  generates (Fisher's randomisation; for F1 see Yeh 2000). That needs neither normality nor symmetric
  errors. It tests the mean absolute error itself, where Wilcoxon's signed ranks would test a different
  quantity, and macro F1, which is not a mean over faces. A swap stays within its face, so every
  permutation keeps the strata of the test set.

With several common seeds, a face's answers are swapped for all seeds at once, and the statistic is the
difference averaged over the seeds; for correct answers its distribution is still computed exactly,
and equals McNemar's when there is one seed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy.stats import binom
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests

from components.dataset.outputs import OUTPUTS
from components.evaluation.catalogue import Metric, Test
from components.evaluation.frame import macro_f1
from components.evaluation.predictions import Predictions

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class McNemar:
    """Exact McNemar test of two networks: the faces that only one of them gets right, and the two-sided p-value."""

    a_only: int
    b_only: int
    p: float


@dataclass(frozen=True)
class PairedTest:
    """Test of one metric between two variants.

    Attributes:
        test: Kind of test. The sign flip extends McNemar's to several seeds.
        p: Two-sided p-value, not adjusted.
        by_seed: For correct answers, McNemar's test of each seed.
    """

    test: Literal["permutation", "mcnemar_exact", "sign_flip_exact"]
    p: float
    by_seed: Mapping[str, McNemar] = field(default_factory=dict)


def mcnemar_exact(a_correct: npt.NDArray[np.bool_], b_correct: npt.NDArray[np.bool_]) -> McNemar:
    """Return the exact McNemar test of two networks' correct answers, each of shape ``[faces]``."""
    a_only, b_only = int((a_correct & ~b_correct).sum()), int((b_correct & ~a_correct).sum())
    both, neither = int((a_correct & b_correct).sum()), int((~a_correct & ~b_correct).sum())
    result = mcnemar([[both, a_only], [b_only, neither]], exact=True)
    return McNemar(a_only, b_only, float(result.pvalue))


def sign_flip_exact(differences: npt.NDArray[np.integer]) -> float:
    """Return the exact two-sided p-value of a sum of whole differences under random signs.

    The sum of the differences of one size *k* under random signs is *k* · (2 · Binomial(n, ½) − n);
    the distribution of the whole sum is the convolution over the sizes.

    Args:
        differences: Correct answers of one variant minus those of the other, summed over the seeds,
            shape ``[faces]``. With values in −1, 0, 1 the test is McNemar's.
    """
    sizes, frequencies = np.unique(np.abs(differences[differences != 0]), return_counts=True)
    distribution = np.ones(1)
    for size, frequency in zip(sizes.tolist(), frequencies.tolist(), strict=True):
        spread = np.zeros(2 * size * frequency + 1)
        spread[:: 2 * size] = binom.pmf(np.arange(frequency + 1), frequency, 0.5)
        distribution = np.convolve(distribution, spread)
    sums = np.arange(len(distribution)) - len(distribution) // 2
    return float(min(1.0, distribution[np.abs(sums) >= abs(int(differences.sum()))].sum()))


def random_swaps(faces: int, permutations: int, seed: int) -> npt.NDArray[np.bool_]:
    """Return which faces are swapped in each permutation, shape ``[permutations, faces]``, chance ½ each."""
    return np.random.default_rng(seed).integers(0, 2, (permutations, faces), dtype=np.int8).astype(bool)


def permute_mean(differences: Floats, swaps: npt.NDArray[np.bool_]) -> float:
    """Return the two-sided permutation p-value of a mean of paired differences.

    Args:
        differences: One variant's values minus the other's, shape ``[faces]``.
        swaps: From :func:`random_swaps`.
    """
    differing = np.flatnonzero(differences)
    part = differences[differing]
    statistics = part.sum() - 2 * (swaps[:, differing].astype(np.float64) @ part)
    return _share_as_extreme(statistics, part.sum())


def permute_macro_f1(
    truth: npt.NDArray[np.integer],
    a_predicted: npt.NDArray[np.integer],
    b_predicted: npt.NDArray[np.integer],
    classes: int,
    swaps: npt.NDArray[np.bool_],
) -> float:
    """Return the two-sided permutation p-value of a difference in macro F1, averaged over seeds.

    Args:
        truth: True class of each face, shape ``[faces]``.
        a_predicted: One variant's classes, shape ``[seeds, faces]``.
        b_predicted: The other's, same shape.
        classes: Number of classes.
        swaps: From :func:`random_swaps`. A face is swapped for all seeds at once.
    """
    pairs = np.eye(classes * classes)
    differing = np.flatnonzero((a_predicted != b_predicted).any(axis=0))
    # Counts below 2^24 are exact in float32, and this product dominates the cost of the test.
    swapped = swaps[:, differing].astype(np.float32)
    statistics, observed = np.zeros(len(swaps)), 0.0
    for a, b in zip(a_predicted, b_predicted, strict=True):
        a_pairs, b_pairs = pairs[truth * classes + a], pairs[truth * classes + b]
        moved = swapped @ (b_pairs - a_pairs)[differing].astype(np.float32)
        shape = (len(swaps), classes, classes)
        a_counts = (a_pairs.sum(axis=0) + moved).astype(np.float64).reshape(shape)
        b_counts = (b_pairs.sum(axis=0) - moved).astype(np.float64).reshape(shape)
        statistics += (macro_f1(a_counts) - macro_f1(b_counts)) / len(a_predicted)
        a_whole, b_whole = (side.sum(axis=0).reshape(classes, classes) for side in (a_pairs, b_pairs))
        observed += float(macro_f1(a_whole) - macro_f1(b_whole)) / len(a_predicted)
    return _share_as_extreme(statistics, observed)


def paired_test(
    metric: Metric, a: Sequence[Predictions], b: Sequence[Predictions], swaps: npt.NDArray[np.bool_]
) -> PairedTest:
    """Test one metric between two variants.

    Args:
        metric: One of :data:`~components.evaluation.catalogue.TESTED`.
        a: One variant's predictions, one per common seed, aligned by face.
        b: The other's, in the same order of seeds.
        swaps: From :func:`random_swaps`, shared by all tests of a report.
    """
    output = OUTPUTS[metric.output]
    if metric.test is Test.MEAN:
        a_errors, b_errors = (np.mean([np.abs(run.errors(output)) for run in side], axis=0) for side in (a, b))
        return PairedTest("permutation", permute_mean(a_errors - b_errors, swaps))
    truth = a[0].faces[output.name].to_numpy(np.int64)
    a_predicted, b_predicted = (
        np.stack([run.faces[output.predicted].to_numpy(np.int64) for run in side]) for side in (a, b)
    )
    if metric.test is Test.MACRO_F1:
        classes = len(a[0].labels.names(output.name))
        return PairedTest("permutation", permute_macro_f1(truth, a_predicted, b_predicted, classes, swaps))
    a_correct, b_correct = a_predicted == truth, b_predicted == truth
    by_seed = {str(run.seed): mcnemar_exact(*right) for run, *right in zip(a, a_correct, b_correct, strict=True)}
    if len(a) == 1:
        return PairedTest("mcnemar_exact", by_seed[str(a[0].seed)].p, by_seed)
    return PairedTest("sign_flip_exact", sign_flip_exact(a_correct.sum(axis=0) - b_correct.sum(axis=0)), by_seed)


def holm(p_values: Sequence[float]) -> list[float]:
    """Return the p-values adjusted for their number by Holm's step-down procedure (1979)."""
    if not p_values:
        return []
    return [float(p) for p in multipletests(p_values, method="holm")[1]]


def _share_as_extreme(statistics: Floats, observed: float) -> float:
    """(1 + permutations at least as extreme) / (1 + permutations), never 0 (Phipson and Smyth 2010)."""
    # Equal sums taken in a different order differ by rounding; such ties count as extreme.
    threshold = abs(observed) - 1e-9 * max(1.0, abs(observed))
    return float((1 + (np.abs(statistics) >= threshold).sum()) / (1 + len(statistics)))
