"""How to read the numbers: what they mean, and how certain they can be."""

import math
from statistics import NormalDist

from components.compare.contract import Comparison
from components.compare.report.formats import count, listed
from components.dataset.labels import Labels
from components.dataset.outputs import FOCUS
from components.evaluation.catalogue import CATALOGUE, switched_on


def glossary(labels: Labels) -> dict[str, str]:
    """Return the words of the report and what they mean."""
    metrics = [metric for metric in switched_on(CATALOGUE, labels).values() if metric.test or metric.by_group]
    median = "the training median of the age and " if "age" in labels.outputs else ""
    return {
        **{
            metric.title: metric.meaning + (f" In {metric.unit(labels)}." if metric.is_age else "")
            for metric in metrics
        },
        "Constant predictor": f"Gives every face the same answer: {median}the most common "
        "classes. A network that does no better has learnt nothing.",
    }


def galleries(labels: Labels) -> dict[str, tuple[str, str]]:
    """Return title and meaning of each kind of gallery, in the order of the report."""
    words = listed("class" if name == FOCUS.name else name for name in labels.outputs)
    together = f"Faces whose {words}{' together' if len(labels.outputs) > 1 else ''} the network expects"
    return {
        "weakest": ("Worst of the weakest class", "The most confident mistakes on the class with the lowest recall."),
        "gained": ("Right where the reference is wrong", "First where the two networks are furthest apart."),
        "lost": ("Wrong where the reference is right", "First where the two networks are furthest apart."),
        "worst": ("Worst", f"{together} least."),
        "best": ("Best", f"{together} most."),
        "examples": ("Examples", "Drawn by chance, one from each cell first."),
    }


def reading_notes(comparison: Comparison) -> list[str]:
    """Return sentences that a reader of the numbers must know."""
    if not comparison.paired:
        return comparison.notes
    return [
        *comparison.notes,
        f"{count(len(comparison.paired))} tests against the reference are in this report. Their p-values are "
        "Holm-adjusted, so that the chance of even one false finding about these trained networks stays below the "
        "level of the rule. “No difference shown” does not mean that there is no difference.",
    ]


def share_precision(comparison: Comparison) -> list[tuple[str, int, float]]:
    """Return how precise a share of one half can be, in the whole test set and in each class of the focus.

    Returns:
        Name, number of faces, and half width of the interval. The normal approximation of the binomial
        is at its widest there: z · sqrt(0.5 · 0.5 / n).
    """
    deviations = NormalDist().inv_cdf((1 + comparison.confidence) / 2)
    sizes = {"the whole test set": comparison.dataset.test, **comparison.dataset.splits["test"][FOCUS.name]}
    return [(name, faces, deviations * math.sqrt(0.25 / faces)) for name, faces in sizes.items() if faces]
