"""Limits on what is read from a source."""

from pydantic import Field

from components.section import Section


class SourceLimits(Section):
    """Bounds that keep a damaged or hostile source from filling memory or running without end."""

    max_file_megabytes: float = Field(
        32.0, gt=0, description="Largest single file. A larger one is rejected; inside an archive it stops the run."
    )
    max_total_gigabytes: float = Field(
        256.0, gt=0, description="Most bytes that one archive may hold once decompressed."
    )
    max_compression_ratio: float = Field(
        100.0,
        gt=1,
        description="Most decompressed bytes per compressed byte of an archive. Photos hardly compress: near 1.",
    )
    download_workers: int = Field(16, ge=1, le=128, description="Objects of a bucket that are downloaded at once.")
