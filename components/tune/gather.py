"""The fan-in of the searches."""

import pandas as pd

from components.files import atomic_path, write_json
from components.training.search import SearchResult


def gather_hyperparameters(
    search_paths: list[str], table_paths: list[str], hyperparameters_path: str, trials_path: str
) -> None:
    """Bring the searches of all tuned variants into one file.

    Args:
        search_paths: JSON files from :func:`components.tune.tune.tune`, one per tuned variant.
        table_paths: Their tables of trials, in the same order.
        hyperparameters_path: JSON to write: each search, keyed by its variant's name.
        trials_path: Parquet to write: all trials, with a column ``variant``.
    """
    searches = [SearchResult.read(path) for path in search_paths]
    write_json(hyperparameters_path, {search.variant: search.to_json() for search in searches})
    tables = [
        pd.read_parquet(path).assign(variant=search.variant) for path, search in zip(table_paths, searches, strict=True)
    ]
    with atomic_path(trials_path) as draft:
        pd.concat(tables, ignore_index=True).to_parquet(draft, index=False)
