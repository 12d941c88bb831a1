"""For notebooks and scripts: run the pipeline, read what it found as data frames, ask the model that it recommends.

Nothing heavy is imported before it is needed. The stages themselves are plain functions, see ``docs/notebook.md``.
"""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from components.compare.contract import Comparison
from pipeline.platforms.local.display import Detail
from pipeline.platforms.local.run_folder import RunFolder

if TYPE_CHECKING:
    import pandas as pd


class Run:
    """A finished run.

    Args:
        path: Its folder.

    Attributes:
        folder: Where its files are.
        comparison: All that it found.

    Raises:
        RequestError: If the folder is not that of a finished run, with one that is where there is one near.
        ArtifactError: If its comparison is damaged.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        from pipeline.commands.report import finished_run

        self.folder: RunFolder = finished_run(Path(path))
        self.comparison = Comparison.read(self.folder.comparison)

    def __repr__(self) -> str:
        """Return the folder and what the run recommends."""
        recommended = self.comparison.recommended
        return f"Run({str(self.folder.path)!r}): {': '.join(filter(None, (recommended.standing, recommended.variant)))}"

    def results(self) -> "pd.DataFrame":
        """Return one row for each variant (post-hoc rows too) and metric: value, low and high on the test faces."""
        import pandas as pd

        from components.evaluation.catalogue import SCALARS, switched_on

        rows = [
            {"variant": name, "metric": metric.name, "value": scalar.value, "low": scalar.low, "high": scalar.high}
            for name, row in self.comparison.rows.items()
            for metric in switched_on(SCALARS, self.comparison.dataset.labels).values()
            for scalar in [row.scalar(metric)]
        ]
        return pd.DataFrame(rows).set_index(["variant", "metric"])

    def paired(self) -> "pd.DataFrame":
        """Return one row for each test against the reference: difference, interval, p-values and verdict."""
        import pandas as pd

        return pd.DataFrame([test.model_dump(mode="json") for test in self.comparison.paired])

    def predict(
        self, pictures: str | os.PathLike[str] | Iterable[str | os.PathLike[str]], model: str | None = None
    ) -> "pd.DataFrame":
        """Return one row for each picture, as ``evenface predict --format csv`` prints it.

        Args:
            pictures: JPEG or PNG files of one face each, folders, or patterns; one, or several.
            model: Folder of a model below the run's folder, such as ``"models/ins/42"``. Default: what it recommends.

        Raises:
            RequestError: If there is no such model.
        """
        import pandas as pd

        from pipeline.predictions import check_model, find_pictures, predict_pictures

        place = self.folder.recommended if model is None else self.folder.path / model
        labels = check_model(place)
        wanted = [pictures] if isinstance(pictures, str | os.PathLike) else pictures
        found = find_pictures(str(os.fspath(path)) for path in wanted)
        return pd.DataFrame([prediction.to_json() for prediction in predict_pictures(place, found, labels)])


def run(
    preset: str = "demo",
    source: str | None = None,
    output: str | os.PathLike[str] | None = None,
    *,
    cache: bool = True,
    detail: str = "normal",
    **settings: Any,
) -> Run:
    """Run the pipeline on this machine, as ``evenface run`` does, and return what it left.

    Args:
        preset: Settings to start from: demo, poc or production.
        source: Folder or archive of faces, ``gs://`` URI of either, or ``"synthetic"``.
        output: Folder for the results. Default: ``runs/<preset>``.
        cache: Reuse finished stages of an earlier run in the same folder.
        detail: ``"quiet"``, ``"normal"`` or ``"verbose"``.
        **settings: Sections and top-level settings that override the preset's, such as
            ``training={"epochs": 5}`` or ``variants=["baseline", "ins"]``.

    Raises:
        RequestError: If a setting is wrong, or the run would fail as far as can be told before it begins.
        RunFailedError: If a stage failed.

    Example:
        >>> result = run("demo", variants=["baseline", "ins"])  # doctest: +SKIP
        >>> result.results()  # doctest: +SKIP
        >>> result.predict("faces/")  # doctest: +SKIP
    """
    from pipeline.commands.options import SettingsOptions
    from pipeline.commands.run import run_here
    from pipeline.platforms.local.executor import SubprocessExecutor
    from pipeline.platforms.local.interruption import Interrupted
    from pipeline.platforms.local.run_record import Request
    from pipeline.settings import load_settings

    chosen = load_settings(preset, source=source, **settings)
    faces = SettingsOptions(preset).require_source(chosen, "folder or archive")
    folder = RunFolder(Path(output) if output is not None else Path("runs") / preset)
    overrides = tuple(f"{name}={value!r}" for name, value in settings.items())
    request = Request(source=faces.name, preset=preset, config=None, overrides=overrides, runner="subprocess")
    try:
        run_here(chosen, faces, folder, SubprocessExecutor(), request, cache=cache, detail=Detail(detail), force=True)
    except Interrupted:
        # A notebook's kernel goes on after a Ctrl-C, and ends with anything that is no exception of Python's own.
        raise KeyboardInterrupt from None
    return Run(folder.path)
