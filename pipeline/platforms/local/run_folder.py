"""What a local run leaves, and where."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class RunFolder:
    """What a local run leaves, and where.

    Attributes:
        path: The folder.
    """

    path: Path

    @property
    def report(self) -> Path:
        """The HTML report."""
        return self.path / "report.html"

    @property
    def summary(self) -> Path:
        """The results table in Markdown."""
        return self.path / "report.md"

    @property
    def comparison(self) -> Path:
        """All facts, as JSON."""
        return self.path / "comparison.json"

    @property
    def models(self) -> Path:
        """``models/<variant>/<seed>`` are SavedModels."""
        return self.path / "models"

    @property
    def predictions(self) -> Path:
        """``predictions/<variant>/<seed>.parquet``."""
        return self.path / "predictions"

    @property
    def data(self) -> Path:
        """Manifests, rejects, trials and the stages' summaries."""
        return self.path / "data"

    @property
    def log(self) -> Path:
        """Everything that the stages printed."""
        return self.path / "run.log"

    @property
    def state(self) -> Path:
        """KFP's own folder: artifacts, cache, unfinished searches."""
        return self.path / ".pipeline"
