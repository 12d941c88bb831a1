"""How far two samples are apart, from their counts alone."""

import numpy as np
import numpy.typing as npt
from scipy import stats

Counts = npt.NDArray[np.int64]

_GROUPS = 10
_FEWEST_EXPECTED = 5


def population_stability_index(reference: Counts, new: Counts) -> float:
    """Return Σ (q − p) · ln(q / p) over the shares p and q of each class, from 0 for equal shares.

    The index is the Jeffreys divergence of the two distributions (Jeffreys 1946); its thresholds are a custom of
    credit scoring (Siddiqi 2006, "Credit Risk Scorecards"). Half a face is added to each class, so that an
    empty one gives a large number and not an infinite one.

    Args:
        reference: Faces of each class, shape ``[classes]``.
        new: The same of the new data.
    """
    p, q = (counts + 0.5 for counts in (reference, new))
    p, q = p / p.sum(), q / q.sum()
    return float(((q - p) * np.log(q / p)).sum())


def chi_square_p(reference: Counts, new: Counts) -> float:
    """Return the p-value of Pearson's χ² test that two samples have the same classes in the same shares.

    Classes of which fewer than 5 faces are expected in either sample are taken together, or χ² would be no good
    approximation.

    Args:
        reference: Faces of each class, shape ``[classes]``.
        new: The same of the new data.
    """
    table = np.array([reference, new], np.float64)
    expected = table.sum(axis=0) * table.sum(axis=1).min() / table.sum()
    rare = expected < _FEWEST_EXPECTED
    table = np.column_stack([table[:, ~rare], table[:, rare].sum(axis=1)])
    table = table[:, table.sum(axis=0) > 0]
    if table.shape[1] < 2:
        return 1.0
    return float(stats.chi2_contingency(table, correction=False).pvalue)


def kolmogorov_smirnov_p(reference: Counts, new: Counts) -> float:
    """Return the p-value of the Kolmogorov–Smirnov test that two samples come from one distribution.

    The largest distance of the distribution functions is looked for at the ends of the bins. It can be larger in
    between, so the test is somewhat cautious.

    Args:
        reference: Values in each bin, in the bins' order, shape ``[bins]``.
        new: The same of the new data.
    """
    sizes = [int(counts.sum()) for counts in (reference, new)]
    if min(sizes) == 0:
        return 1.0
    distance = np.abs(np.cumsum(reference) / sizes[0] - np.cumsum(new) / sizes[1]).max()
    return float(stats.kstwobign.sf(distance * np.sqrt(sizes[0] * sizes[1] / sum(sizes))))


def pool_bins(reference: Counts) -> Counts:
    """Return the group of each bin: neighbours are taken together until they hold a tenth of the reference.

    A bin that holds a tenth by itself stays alone: where all pictures have one size, what is smaller and what is larger
    must not be taken for that size.

    Args:
        reference: Values in each bin, shape ``[bins]``.
    """
    enough = reference.sum() / _GROUPS
    groups = np.zeros(len(reference), np.int64)
    group, held, opened = 0, 0, False
    for place, count in enumerate(reference.tolist()):
        if opened and (held >= enough or count >= enough):
            group, held = group + 1, 0
        groups[place], held, opened = group, held + count, True
    return groups
