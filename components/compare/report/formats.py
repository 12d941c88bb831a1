"""Numbers as people read them; what is undefined is a dash."""

import math
import re
from collections.abc import Mapping
from typing import Any, TypeGuard

MISSING = "–"

DECIMALS = {
    "age_mae": 2,
    "age_bias": 2,
    "age_error_std": 2,
    "age_error_median": 2,
    "age_error_p90": 2,
    "age_mae_bin_gap": 2,
}
"""Decimals of metrics in years; shares have three."""

METRIC_NAMES = {
    "age_mae": "Age MAE",
    "age_bias": "Age bias",
    "age_error_std": "Age error, standard deviation",
    "age_error_median": "Age error, median",
    "age_error_p90": "Age error, 90th percentile",
    "age_mae_bin_gap": "Age MAE, worst − best bin",
    "gender_accuracy": "Gender accuracy",
    "ethnicity_accuracy": "Ethnicity accuracy",
    "ethnicity_macro_f1": "Ethnicity macro F1",
    "ethnicity_recall": "Ethnicity recall",
    "ethnicity_precision": "Ethnicity precision",
    "ethnicity_f1": "Ethnicity F1",
}
"""Metrics as column titles."""


def decimals(metric: str) -> int:
    """Return how many decimals a metric is shown with."""
    return DECIMALS.get(metric, 3)


def metric_name(metric: str) -> str:
    """Return a metric's name for people."""
    return METRIC_NAMES.get(metric, metric.replace("_", " "))


def is_number(value: Any) -> TypeGuard[float]:
    """Return whether a JSON value is a finite number."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def decimal(value: Any, places: int = 3, signed: bool = False) -> str:
    """Return a number with a fixed number of decimals and a true minus sign."""
    if not is_number(value):
        return MISSING
    text = f"{value:{'+' if signed else ''}.{places}f}"
    if float(text) == 0:
        text = text.lstrip("+-")
    return text.replace("-", "−")


def count(value: Any) -> str:
    """Return a whole number with thin spaces between thousands."""
    return f"{round(value):,}".replace(",", "\u202f") if is_number(value) else MISSING


def percent(value: Any, places: int = 1) -> str:
    """Return a share in percent."""
    return f"{100 * value:.{places}f}\u202f%" if is_number(value) else MISSING


def p_value(value: Any) -> str:
    """Return a p-value with two significant digits, no smaller than can be read."""
    if not is_number(value):
        return MISSING
    return "< 0.0001" if value < 0.0001 else f"{value:.2g}" if value < 0.1 else f"{value:.2f}"


def span(interval: Mapping[str, Any] | None, places: int = 3, signed: bool = False) -> str:
    """Return the ends of an interval, such as ``"11.4 to 12.4"``; empty when there are none."""
    low, high = (interval or {}).get("low"), (interval or {}).get("high")
    if not (is_number(low) and is_number(high)):
        return ""
    return f"{decimal(low, places, signed)} to {decimal(high, places, signed)}"


def duration(seconds: Any) -> str:
    """Return a time in the unit that suits it."""
    if not is_number(seconds):
        return MISSING
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def ended(text: Any) -> str:
    """Return a text as a sentence: with a full stop where it has no end."""
    text = str(text or "").strip()
    return text if not text or text[-1] in ".!?…" else f"{text}."


def markdown(text: Any) -> str:
    """Return a text for Markdown, where no character of it starts a markup or ends a table cell."""
    text = " ".join(str(text).split()).replace("&", "&amp;").replace("<", "&lt;")
    return re.sub(r"([\\`*\[\]|])", r"\\\1", text)
