"""KFP interface of stage 1."""

from typing import List

from kfp.dsl import Artifact, Dataset, Input, Output


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
        source: Folder, archive or table, gs:// URI of one of these, or "synthetic".
        source_fingerprint: Identity of the source's content before the run; part of the cache key, and checked.
        settings: The settings section `preprocess`.
        images: Parquet shards with the image bytes as received.
        manifest: One row per face.
        rejects: Every input file that was not used, and why.
        summary: Counts and distributions, step by step.
    """
    from components.digests import seal
    from components.logs import log_to_console
    from components.preprocess.preprocess import preprocess as run
    from components.preprocess.settings import PreprocessSettings

    log_to_console()
    section = PreprocessSettings.from_parameter(settings)
    outputs = images.path, manifest.path, rejects.path, summary.path
    facts = run(source, section, *outputs, source_fingerprint)
    manifest.metadata.update(facts, source_fingerprint=source_fingerprint)
    seal(images, manifest, rejects, summary)


def read_part(
    part: int,
    parts: int,
    source: str,
    source_fingerprint: str,
    settings: dict,
    faces: Output[Dataset],
) -> None:
    """Read and verify every n-th file of the source, one of several parts.

    Args:
        part: Number of the part, from 0.
        parts: Number of parts.
        source: Folder, archive or table, gs:// URI of one of these, or "synthetic".
        source_fingerprint: Identity of the source's content; part of the cache key.
        settings: The settings section `preprocess`.
        faces: The part: a table of its files, and the image bytes of its readable faces.
    """
    from components.digests import seal
    from components.logs import log_to_console
    from components.preprocess.parts import read_part as run
    from components.preprocess.settings import PreprocessSettings

    log_to_console()
    facts = run(source, PreprocessSettings.from_parameter(settings), part, parts, faces.path)
    faces.metadata.update(facts, source_fingerprint=source_fingerprint)
    seal(faces)


def merge_parts(
    parts: Input[List[Dataset]],
    source: str,
    source_fingerprint: str,
    settings: dict,
    images: Output[Dataset],
    manifest: Output[Dataset],
    rejects: Output[Dataset],
    summary: Output[Artifact],
) -> None:
    """Join the parts of the source, then drop and undersample faces and pack the images.

    Args:
        parts: All parts of the source.
        source: The source that they were read from.
        source_fingerprint: Identity of the source's content before the run; part of the cache key, and checked.
        settings: The settings section `preprocess`.
        images: Parquet shards with the image bytes as received.
        manifest: One row per face.
        rejects: Every input file that was not used, and why.
        summary: Counts and distributions, step by step.
    """
    from components.digests import require_unchanged, seal
    from components.logs import log_to_console
    from components.preprocess.preprocess import merge_parts as run
    from components.preprocess.settings import PreprocessSettings

    log_to_console()
    require_unchanged(*parts)
    section = PreprocessSettings.from_parameter(settings)
    outputs = images.path, manifest.path, rejects.path, summary.path
    facts = run([part.path for part in parts], source, section, *outputs, source_fingerprint)
    manifest.metadata.update(facts, source_fingerprint=source_fingerprint)
    seal(images, manifest, rejects, summary)
