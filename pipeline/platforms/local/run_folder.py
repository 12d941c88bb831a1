"""What a local run leaves behind, and where."""

from pathlib import Path


class RunFolder:
    """What a local run leaves behind, and where.

    Attributes:
        report: The HTML report.
        summary: The results table in Markdown.
        comparison: All facts, as JSON.
        recommended: The recommended model, packaged; without a SavedModel where nothing can be shipped.
        models: ``models/<variant>/<seed>`` are SavedModels.
        predictions: ``predictions/test/<variant>/<seed>.parquet``, on the test faces.
        validation: ``predictions/validation/<variant>/<seed>.parquet``, on the validation faces.
        data: Manifests, rejects, trials and the stages' summaries.
        log: What happened when, and every line of the stages' own.
        kfp_log: Everything that KFP, the stages and their libraries printed.
        promotion: The decision on the recommended model, where the run has a registry.
        tracking: Which MLflow runs there are, where the run has a server.
        record: How the latest run in the folder went, as JSON, whether it ended well or not.
        state: What the next run may reuse: artifacts, cache, unfinished searches.
        artifacts: KFP's own folder in it.
        cache: The cache of finished stages.
        lock: File whose lock the process holds that runs in the folder.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.report = path / "report.html"
        self.summary = path / "report.md"
        self.comparison = path / "comparison.json"
        self.recommended = path / "recommended"
        self.models = path / "models"
        self.predictions = path / "predictions" / "test"
        self.validation = path / "predictions" / "validation"
        self.data = path / "data"
        self.promotion = self.data / "promotion.json"
        self.tracking = self.data / "tracking.json"
        self.log = path / "run.log"
        self.record = path / "run.json"
        self.state = path / ".pipeline"
        self.kfp_log = self.state / "kfp.log"
        self.artifacts = self.state / "artifacts"
        self.cache = self.artifacts / ".kfp_cache"
        self.lock = self.state / "lock"
