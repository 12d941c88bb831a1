"""Limits on what is read from a source."""

from pydantic import Field

from components.section import Section


class SourceLimits(Section):
    """Bounds that keep a damaged or hostile source from filling memory or running for ever."""

    max_file_megabytes: float = Field(
        32.0, gt=0, description="Largest single file. A larger one is rejected; inside an archive it stops the run."
    )
    max_total_gigabytes: float = Field(256.0, gt=0, description="Largest size of one archive once decompressed.")
    max_compression_ratio: float = Field(
        100.0,
        gt=1,
        description="Most decompressed bytes per compressed byte of an archive; for photos the ratio is near 1.",
    )
    max_members: int = Field(
        1_000_000,
        ge=1,
        description="Most members of one archive, folders and files of every kind included, or rows of one table.",
    )
    max_table_megabytes: float = Field(512.0, gt=0, description="Largest table of faces, on disk and decompressed.")
    download_workers: int = Field(16, ge=1, le=128, description="Number of bucket objects downloaded in parallel.")
