"""Walk over a table too large for memory in blocks of its rows."""

from collections.abc import Iterator

BLOCK_SIZE = 2**20
"""Numbers of a table in memory at once: 8 MiB as float64, which keeps a block close to the processor."""


def row_blocks(rows: int, width: int) -> Iterator[slice]:
    """Yield the rows of a table in consecutive blocks of about :data:`BLOCK_SIZE` numbers.

    Every block but the last has a multiple of four rows, so that random numbers drawn block by block equal
    those drawn at once even where a generator makes four small ones of each of its words.

    Args:
        rows: Rows of the table.
        width: Its columns, at least one.
    """
    height = max(4, BLOCK_SIZE // width // 4 * 4)
    for start in range(0, rows, height):
        yield slice(start, min(start + height, rows))
