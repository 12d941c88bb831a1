"""The model card: what a model is, what it was made from, how well it does for whom, and what it is not for.

Its sections follow Mitchell et al. 2019, "Model Cards for Model Reporting" (arXiv 1810.03993).
"""

import inspect
from pathlib import Path

import jinja2

from components.compare.contract import Comparison
from components.compare.report import formats
from components.evaluation.catalogue import CATALOGUE, GROUPED, NAMED, SCALARS, switched_on
from components.recommend.contract import PackagedNetwork
from components.training.record import TrainingRecord

CARD_FILE = "model_card.md"
"""The model card, in a model's folder."""

_ENVIRONMENT = jinja2.Environment(
    loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=False,  # noqa: S701 - it is Markdown: the filter `markdown` escapes
    undefined=jinja2.StrictUndefined,
    keep_trailing_newline=True,
    trim_blocks=True,
    lstrip_blocks=True,
)
_ENVIRONMENT.filters |= dict(inspect.getmembers(formats, inspect.isfunction))
_ENVIRONMENT.globals |= {"catalogue": CATALOGUE}


def render_card(comparison: Comparison, record: TrainingRecord, network: PackagedNetwork) -> str:
    """Return the model card of the recommended network, in Markdown.

    Args:
        comparison: The comparison that recommends it.
        record: How the network was trained.
        network: The network as packaged.
    """
    labels = comparison.dataset.labels
    return _ENVIRONMENT.get_template("model_card.md.j2").render(
        comparison=comparison,
        dataset=comparison.dataset,
        recommended=comparison.recommended,
        row=comparison.rows[network.row],
        unseen=[cell for cell in comparison.dataset.cells if cell.train == 0 < cell.test],
        confidence=f"{100 * comparison.confidence:g} %",
        record=record,
        network=network,
        classified=labels.classified.values(),
        grouped_metrics=switched_on(GROUPED, labels).values(),
        named_metrics=switched_on(NAMED, labels).values(),
        scalar_metrics=switched_on(SCALARS, labels).values(),
    )
