"""One chart: drawn with matplotlib, delivered as an inline SVG in the colours of the page.

The page has a light and a dark theme and one chart serves both: it is drawn in the colours of
:data:`THEME`, each of which becomes a CSS variable in the SVG. Text stays text, in the page's font.
"""

import io
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import escape
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

INK = "#18212b"
MUTED = "#5d6b79"
GRID = "#dfe5ea"
PAPER = "#fefefe"
REFERENCE = "#7b8794"
ACCENT = "#0b6fb8"
GAIN = "#00785c"
LOSS = "#cc5a06"
OTHER = "#b3bec9"
KEPT = "#46525e"
DROPPED = "#c6ced6"

THEME = {
    INK: "ink",
    MUTED: "muted",
    GRID: "grid",
    PAPER: "paper",
    REFERENCE: "reference",
    ACCENT: "accent",
    GAIN: "gain",
    LOSS: "loss",
    OTHER: "other",
    KEPT: "kept",
    DROPPED: "dropped",
}
"""Colours that charts are drawn in, and the CSS variable that each stands for.

A colour has one meaning: blue is the recommended row, green and orange are what is shown to be better and worse, and
the rest is grey. They differ in lightness too, for greyscale print and for eyes that can't tell them apart.
"""

ROLE_COLOURS = {"reference": REFERENCE, "recommended": ACCENT, "other": OTHER}
"""Colour of a row by its role."""

_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "evenface",
    "font.size": 11,
    "text.parse_math": False,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": MUTED,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.8,
    "text.color": INK,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelsize": 10.5,
    "ytick.labelsize": 10.5,
    "xtick.major.size": 3,
    "ytick.major.size": 0,
    "xtick.minor.size": 0,
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "lines.linewidth": 1.6,
    "lines.markersize": 4,
}

_Box = tuple[float, float, float, float]

_LABEL_PLACES = ((1, 5), (-1, 5), (1, -12), (-1, -12), (0, 9), (0, -17), (1, 17), (-1, 17))
"""Where the name of a point may be: right (1), left (−1) or in the middle, and how far above it, in pixels."""

_WIDEST_NAMES = 60
"""Letters that the x axis of a chart has room for."""

_DPI = 72  # At this resolution, one unit of matplotlib's SVG is one CSS pixel.


@dataclass(frozen=True)
class Drawing:
    """An ``<svg>`` element, with all text escaped."""

    source: str

    def __html__(self) -> str:
        """Return the element for a template, which then does not escape it again."""
        return self.source


def draw(paint: Callable[[Axes], None], key: str, title: str, facts: Iterable[str], width: int, height: int) -> Drawing:
    """Draw one chart.

    Args:
        paint: Draws on the axes that it is given.
        key: Unique in the page; prefix of the identifiers inside.
        title: Name of the chart, for screen readers and as a tooltip.
        facts: What the chart shows, for readers who can't see it.
        width: Width of the drawing, in pixels; the page scales it to the space there is.
        height: Height of the drawing, in pixels.
    """
    with rc_context(_STYLE):
        figure = Figure(figsize=(width / _DPI, height / _DPI), layout="constrained")
        paint(figure.subplots())
        drawing = io.StringIO()
        # Dates and versions in the drawing would make two reports of the same run differ.
        absent = dict.fromkeys(("Creator", "Date", "Format", "Type"))
        figure.savefig(drawing, format="svg", transparent=True, metadata=absent)
    return _inline(drawing.getvalue(), key, title, f"{'; '.join(facts)}.", width, height)


def _inline(drawing: str, key: str, title: str, description: str, width: int, height: int) -> Drawing:
    """Turn matplotlib's SVG file into an element of the page."""
    body = drawing[drawing.index(">", drawing.index("<svg")) + 1 : drawing.rindex("</svg>")]
    body = re.sub(r"<defs>\s*<style.*?</style>\s*</defs>|<!--.*?-->", "", body, flags=re.DOTALL)
    # Text between the tags may be any name: leave it unchanged.
    body = re.sub(r"<[^>]*>", lambda tag: _adapt(tag[0], key), body)
    return Drawing(
        f'<svg class="chart" role="img" viewBox="0 0 {width} {height}" style="max-width: {round(1.25 * width)}px" '
        f'aria-labelledby="{key}-title {key}-description">'
        f'<title id="{key}-title">{escape(title)}</title><desc id="{key}-description">{escape(description)}</desc>'
        f"{body}</svg>"
    )


def _adapt(tag: str, key: str) -> str:
    """Adapt one tag of a drawing to the page: its identifiers, colours and fonts; and shorten its numbers."""
    if tag.startswith("<g "):
        # Groups are numbered identically in every drawing, and nothing refers to them.
        tag = re.sub(r' id="[^"]*"', "", tag)
    tag = re.sub(r' id="([^"]+)"', rf' id="{key}-\1"', tag)
    tag = re.sub(r'(?:xlink:)?href="#([^"]+)"', rf'href="#{key}-\1"', tag)
    tag = re.sub(r"url\(#([^)]+)\)", rf"url(#{key}-\1)", tag)
    tag = re.sub(r"font-family: [^;\"]*;? ?", "", tag)
    tag = re.sub(r' transform="rotate\(-?0 [^"]*\)"', "", tag)
    tag = re.sub(r"-?\d+\.\d{3,}", lambda number: f"{float(number[0]):.2f}", tag)
    tag = re.sub(r"\s+", " ", tag)
    for colour, name in THEME.items():
        tag = tag.replace(colour, f"var(--{name})")
    return tag


def name_places(axes: Axes, names: Sequence[str]) -> None:
    """Name the places 0, 1, … of the x axis, aslant where the names would run into each other."""
    is_wide = sum(len(name) + 2 for name in names) > _WIDEST_NAMES
    axes.set_xticks(range(len(names)), names)
    if is_wide:
        for label in axes.get_xticklabels():
            label.set(rotation=35, ha="right", rotation_mode="anchor")


@dataclass(frozen=True)
class Point:
    """A named point; where there is no room for its name, it goes without, unless it must have one."""

    name: str
    x: float
    y: float
    is_named: bool = True
    must_be_named: bool = False


def label_points(axes: Axes, points: Sequence[Point]) -> None:
    """Write the names of points beside them, none over another name or point; of names in the way, the first stays.

    Call it when everything is drawn and the limits of the axes are known.
    """
    width, height = axes.figure.get_size_inches() * _DPI  # type: ignore[union-attr]
    (left, right), (bottom, top) = axes.get_xlim(), axes.get_ylim()
    # Tick labels and titles of the axes take some room beside and below.
    width, height = width - 60.0, height - 55.0

    def spot(point: Point) -> tuple[float, float]:
        return (point.x - left) / (right - left) * width, (point.y - bottom) / (top - bottom) * height

    taken: list[_Box] = [(x - 4, y - 4, x + 4, y + 4) for x, y in map(spot, points)]
    for point in sorted(points, key=lambda point: not point.must_be_named):
        if not point.is_named:
            continue
        text = point.name if len(point.name) <= 30 else f"{point.name[:29]}…"
        boxes = {place: _label_box(text, *spot(point), *place) for place in _LABEL_PLACES}
        free = [
            place
            for place, box in boxes.items()
            if box[0] >= 0 and box[2] <= width and not any(_overlap(box, other) for other in taken)
        ]
        if not free and not point.must_be_named:
            continue
        side, shift = free[0] if free else _LABEL_PLACES[0 if spot(point)[0] <= width / 2 else 1]
        taken.append(boxes[side, shift])
        axes.annotate(
            text,
            (point.x, point.y),
            xytext=(6 * side, shift),
            textcoords="offset points",
            ha={1: "left", -1: "right", 0: "center"}[side],
            fontsize=10,
            color=INK,
        )


def _label_box(text: str, x: float, y: float, side: int, shift: int) -> _Box:
    """Return about where the name of a point at some place would be, in pixels."""
    reach = 6 + 5.8 * len(text)
    left, right = {1: (x + 4, x + reach), -1: (x - reach, x - 4), 0: (x - reach / 2, x + reach / 2)}[side]
    return left, y + shift - 2, right, y + shift + 9


def _overlap(box: _Box, other: _Box) -> bool:
    return box[0] < other[2] and other[0] < box[2] and box[1] < other[3] and other[1] < box[3]
