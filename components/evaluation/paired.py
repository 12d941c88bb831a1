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

Such a test is about two networks. With several common seeds the question is about the cure: the p-value is then the
one over other faces and other seeds (:meth:`components.evaluation.seeds.SeedSpread.p_value`), and McNemar's test of
each seed is given beside it.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests

from components.dataset.outputs import OUTPUTS
from components.evaluation.blocks import row_blocks
from components.evaluation.catalogue import Metric, Test
from components.evaluation.frame import class_f1
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
        test: Kind of test.
        p: Two-sided p-value, not adjusted.
        by_seed: For correct answers, McNemar's test of each seed.
    """

    test: Literal["permutation", "mcnemar_exact", "over_seeds"]
    p: float
    by_seed: Mapping[str, McNemar] = field(default_factory=dict)


def mcnemar_exact(a_correct: npt.NDArray[np.bool_], b_correct: npt.NDArray[np.bool_]) -> McNemar:
    """Return the exact McNemar test of two networks' correct answers, each of shape ``[faces]``."""
    a_only, b_only = int((a_correct & ~b_correct).sum()), int((b_correct & ~a_correct).sum())
    both, neither = int((a_correct & b_correct).sum()), int((~a_correct & ~b_correct).sum())
    result = mcnemar([[both, a_only], [b_only, neither]], exact=True)
    return McNemar(a_only, b_only, float(result.pvalue))


def random_swaps(faces: int, permutations: int, seed: int) -> Iterator[npt.NDArray[np.int8]]:
    """Yield which faces are swapped, 1 or 0 with chance ½ each, in blocks of shape ``[permutations, faces]``."""
    generator = np.random.default_rng(seed)
    for rows in row_blocks(permutations, faces):
        yield generator.integers(0, 2, (rows.stop - rows.start, faces), dtype=np.int8)


@dataclass(frozen=True)
class Exchange:
    """What becomes of a difference between two variants when their answers are swapped on some faces.

    Attributes:
        moves: What a swap of each face adds to the sums behind the difference, shape ``[faces, sums]``: int8
            for counts, float64 for other sums.
        difference: From what was added to the sums, shape ``[permutations, sums]``, to the difference, shape
            ``[permutations]``.
    """

    moves: npt.NDArray[np.int8] | Floats
    difference: Callable[[Floats], Floats]

    @property
    def precision(self) -> type[np.floating[Any]]:
        """Number type in which the moves can be added up: counts below 2^24 are exact in float32."""
        return np.float32 if self.moves.dtype == np.int8 and len(self.moves) < 2**24 else np.float64


def permutation_p_values(exchanges: Sequence[Exchange], swaps: Iterable[npt.NDArray[np.int8]]) -> list[float]:
    """Return the two-sided permutation p-value of each difference, all from the same swaps.

    A p-value is (1 + permutations at least as extreme) / (1 + permutations), never 0 (Phipson and Smyth 2010).

    Args:
        exchanges: Of variants on the same faces.
        swaps: From :func:`random_swaps`.
    """
    observed = [abs(float(each.difference(np.zeros((1, each.moves.shape[1])))[0])) for each in exchanges]
    # Equal sums taken in a different order differ by rounding; such ties count as extreme.
    thresholds = [size - 1e-9 * max(1.0, size) for size in observed]
    extreme, permutations = [0] * len(exchanges), 0
    for block in swaps:
        permutations += len(block)
        factors = {precision: block.astype(precision) for precision in {each.precision for each in exchanges}}
        for place, each in enumerate(exchanges):
            moved = factors[each.precision] @ each.moves.astype(each.precision)
            differences = np.abs(each.difference(moved.astype(np.float64)))
            extreme[place] += int(np.count_nonzero(differences >= thresholds[place]))
    return [(1 + count) / (1 + permutations) for count in extreme]


def exchange_means(differences: Floats) -> Exchange:
    """Return the exchange of a sum of paired differences, one variant's values minus the other's, ``[faces]``."""
    total = differences.sum()
    return Exchange(differences[:, None], lambda moved: total - 2 * moved[:, 0])


def exchange_macro_f1(
    truth: npt.NDArray[np.integer],
    a_predicted: npt.NDArray[np.integer],
    b_predicted: npt.NDArray[np.integer],
    classes: int,
) -> Exchange:
    """Return the exchange of a difference in macro F1.

    Args:
        truth: True class of each face, shape ``[faces]``.
        a_predicted: One variant's classes, same shape.
        b_predicted: The other's, same shape.
        classes: Number of classes.
    """
    names = np.arange(classes)
    present = np.bincount(truth, minlength=classes).astype(np.float64)

    def count(predicted: npt.NDArray[np.integer]) -> npt.NDArray[np.int8]:
        """Mark the class predicted, if right and in any case, shape ``[faces, 2, classes]``."""
        of_class = predicted[:, None] == names
        return np.stack([of_class & (truth[:, None] == names), of_class], axis=1).astype(np.int8)

    a, b = count(a_predicted), count(b_predicted)
    a_sums, b_sums = (side.sum(axis=0, dtype=np.float64) for side in (a, b))

    def macro_f1(sums: Floats) -> Floats:
        """From sums ``[permutations, 2, classes]`` to the mean over classes."""
        means: Floats = class_f1(sums[:, 0], present, sums[:, 1]).mean(axis=1)
        return means

    def difference(moved: Floats) -> Floats:
        moves = moved.reshape(-1, *a_sums.shape)
        return macro_f1(a_sums + moves) - macro_f1(b_sums - moves)

    return Exchange((b - a).reshape(len(truth), -1), difference)


@dataclass(frozen=True)
class Pairing:
    """Two variants to test on one metric.

    Attributes:
        metric: One of :data:`~components.evaluation.catalogue.TESTED`.
        a: One variant's predictions, one per common seed, aligned by face; for an ensemble, its own once for each.
        b: The other's, in the same order of seeds.
    """

    metric: Metric
    a: Sequence[Predictions]
    b: Sequence[Predictions]


def paired_tests(
    pairings: Sequence[Pairing], over_seeds: Sequence[float], permutations: int, seed: int
) -> list[PairedTest]:
    """Test each pairing; the permutation tests share their swaps.

    Args:
        pairings: All predictions are for the same faces in the same order.
        over_seeds: For each pairing the p-value over faces and seeds, used where it has several seeds.
        permutations: Permutations behind a p-value.
        seed: Seed of the swaps.
    """
    tests: dict[int, PairedTest] = {}
    permuted: dict[int, Exchange] = {}
    for place, (pair, p) in enumerate(zip(pairings, over_seeds, strict=True)):
        by_seed = _mcnemar_by_seed(pair) if pair.metric.test is Test.CORRECT else {}
        if len(pair.a) > 1:
            tests[place] = PairedTest("over_seeds", p, by_seed)
        elif by_seed:
            tests[place] = PairedTest("mcnemar_exact", by_seed[str(pair.a[0].seed)].p, by_seed)
        else:
            permuted[place] = _exchange(pair)
    if permuted:
        swaps = random_swaps(len(pairings[0].a[0]), permutations, seed)
        p_values = permutation_p_values(list(permuted.values()), swaps)
        tests |= {place: PairedTest("permutation", p) for place, p in zip(permuted, p_values, strict=True)}
    return [tests[place] for place in range(len(pairings))]


def _exchange(pair: Pairing) -> Exchange:
    output = OUTPUTS[pair.metric.output]
    if pair.metric.test is Test.MEAN:
        [a], [b] = ([np.abs(run.errors(output)) for run in side] for side in (pair.a, pair.b))
        return exchange_means(a - b)
    truth, a_predicted, b_predicted = _classes(pair)
    return exchange_macro_f1(truth, a_predicted[0], b_predicted[0], len(pair.a[0].labels.names(output.name)))


def _mcnemar_by_seed(pair: Pairing) -> dict[str, McNemar]:
    truth, a_predicted, b_predicted = _classes(pair)
    right = zip(pair.b, a_predicted == truth, b_predicted == truth, strict=True)
    return {str(run.seed): mcnemar_exact(*each) for run, *each in right}


def _classes(pair: Pairing) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """True classes ``[faces]``, and those that each variant predicts ``[seeds, faces]``."""
    output = OUTPUTS[pair.metric.output]
    a, b = (np.stack([run.faces[output.predicted].to_numpy(np.int64) for run in side]) for side in (pair.a, pair.b))
    return pair.a[0].faces[output.name].to_numpy(np.int64), a, b


def holm(p_values: Sequence[float]) -> list[float]:
    """Return the p-values adjusted for their number by Holm's step-down procedure (1979)."""
    if not p_values:
        return []
    return [float(p) for p in multipletests(p_values, method="holm")[1]]
