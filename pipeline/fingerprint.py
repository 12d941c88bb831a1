"""The identity of a source, computed before a run, so that caches hit exactly when the data is the same."""

from components.sources.source import SYNTHETIC, parse_source

__all__ = ["SYNTHETIC", "fingerprint_source"]


def fingerprint_source(source: str) -> str:
    """Return the identity of a source's content.

    Raises:
        RequestError: If the source does not exist or can't be read.
    """
    return parse_source(source).fingerprint()
