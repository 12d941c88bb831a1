"""Numbers as people read them; what is undefined is a dash. Every function here is a filter of the templates."""

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from markupsafe import Markup, escape

from components.compare.contract import Face, Interval, Metrics, Number, PairedTestFacts
from components.dataset.labels import Labels
from components.dataset.outputs import OUTPUTS, Output
from components.evaluation.catalogue import Better, Metric

if TYPE_CHECKING:
    from components.compare.run_pairs import RowChange

MISSING = "–"


def decimal(value: Number, places: int = 3, signed: bool = False) -> str:
    """Return a number with a fixed number of decimals and a true minus sign."""
    if value is None:
        return MISSING
    text = f"{value:{'+' if signed else ''}.{places}f}"
    if float(text) == 0:
        text = text.lstrip("+-")
    return text.replace("-", "−")


def count(value: int) -> str:
    """Return a whole number with thin spaces between thousands."""
    return f"{value:,}".replace(",", "\u202f")


def percent(share: float) -> str:
    """Return a share in percent."""
    return f"{100 * share:.1f}\u202f%"


def p_value(value: Number) -> str:
    """Return a p-value with two significant digits, or ``"< 0.0001"``."""
    if value is None:
        return MISSING
    return "< 0.0001" if value < 0.0001 else f"{value:.2g}" if value < 0.1 else f"{value:.2f}"


def span(interval: "Interval | PairedTestFacts | RowChange", places: int = 3, signed: bool = False) -> str:
    """Return the ends of an interval, such as ``"11.4 to 12.4"``; empty when they are unknown."""
    if interval.low is None or interval.high is None:
        return ""
    return f"{decimal(interval.low, places, signed)} to {decimal(interval.high, places, signed)}"


def duration(seconds: Number) -> str:
    """Return a duration in a suitable unit."""
    if seconds is None:
        return MISSING
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def direction(better: Better) -> str:
    """Return which direction of a metric is better, as a sign beside its name."""
    return {Better.LOWER: "↓", Better.HIGHER: "↑", Better.ZERO: "(zero is best)"}[better]


def short_title(metric: Metric) -> str:
    """Return a metric's name without its output, for use where that is clear."""
    title = metric.title.removeprefix(OUTPUTS[metric.output].title).lstrip()
    return title[0].upper() + title[1:]


def procedure(test: PairedTestFacts) -> str:
    """Return a test's display name."""
    names = {"permutation": "permutation", "mcnemar_exact": "exact McNemar", "over_seeds": "over faces and seeds"}
    return names[test.test]


def standing_tag(standing: str) -> str:
    """Return the word that marks the row of a recommendation in tables."""
    return "kept" if standing == "kept" else "indicated" if standing == "indicated" else "recommended"


def listed(words: Iterable[str]) -> str:
    """Return words as a list inside a sentence: ``"age, gender and ethnicity"``."""
    *others, last = words
    return f"{', '.join(others)} and {last}" if others else last


def measured(facts: Metrics, metric: Metric, name: str) -> Interval:
    """Return a metric of a row: the single number, or where it has one by class, that of the class ``name``."""
    return facts.scalar(metric) if metric.per is None else facts.named(metric, name)


def raw(value: Number) -> str:
    """Return a number for a table to be sorted by; empty for what is undefined."""
    return "" if value is None else repr(value)


def truth(face: Face, labels: Labels) -> str:
    """Return what a test face is."""
    return ", ".join(_said(face, output, output.name, labels) for output in labels.outputs.values())


def prediction(face: Face, labels: Labels) -> str:
    """Return what a network says about a test face."""
    return ", ".join(_said(face, output, output.predicted, labels) for output in labels.outputs.values())


def _said(face: Face, output: Output, field: str, labels: Labels) -> str:
    value = getattr(face, field)
    return value if output.is_classified else f"{decimal(value, 0)} {labels.age_unit}"


def in_sentence(title: str) -> str:
    """Return a title as it reads inside a sentence; an acronym or a name with capitals inside stays as it is."""
    first = title.split(" ", 1)[0]
    return title[:1].lower() + title[1:] if first[1:].islower() else title


def breakable(name: str) -> Markup:
    """Return a name that may go on on another line after its punctuation, but not inside a word."""
    return Markup("<wbr>").join(escape(part) for part in re.split(r"(?<=[_+\-./])", name))


def public(path: str, variant: str, seed: int) -> str:
    """Return where a model is: its URI, or where it lies in the run's folder if it is on a disk."""
    return path if "://" in path else f"models/{variant}/{seed}/"


def ended(text: str) -> str:
    """Return a text as a sentence: with a full stop if it lacks one."""
    text = text.strip()
    return text if not text or text[-1] in ".!?…" else f"{text}."


def markdown(text: str) -> str:
    """Return a text escaped for Markdown, so that nothing in it starts markup or ends a table cell."""
    text = " ".join(text.split()).replace("&", "&amp;").replace("<", "&lt;")
    return re.sub(r"([\\`*\[\]|])", r"\\\1", text)
