"""KFP interface of stage 1."""

from kfp.dsl import Artifact, Dataset, Output


def preprocess(
    source: str,
    source_fingerprint: str,
    settings: dict,
    images: Output[Dataset],
    manifest: Output[Dataset],
    rejects: Output[Dataset],
    summary: Output[Artifact],
) -> None:
    """Read the source, verify and label every face, drop and undersample faces, pack the images.

    Args:
        source: Folder, archive, gs:// URI of either, or "synthetic".
        source_fingerprint: Identity of the source's content; part of the cache key.
        settings: The settings section `preprocess`.
        images: Parquet shards with the image bytes as received.
        manifest: One row per face.
        rejects: Every input file that was not used, and why.
        summary: Counts and distributions, step by step.
    """
    from components.logs import log_to_console
    from components.preprocess.preprocess import preprocess as run
    from components.preprocess.settings import PreprocessSettings

    log_to_console()
    section = PreprocessSettings.from_parameter(settings)
    facts = run(source, section, images.path, manifest.path, rejects.path, summary.path)
    manifest.metadata.update(facts, source_fingerprint=source_fingerprint)
