"""All rows, in the order of the table.

A new row is an entry in the ``ROWS`` of a module in ``rows``: two functions of that module, or one function with two
sets of arguments, and what they are held to.
"""

from tests.benchmarks.rows import comparing, demo, drawing, loading, preprocessing, stages, training

ROWS = {
    row.name: row
    for module in (loading, training, preprocessing, drawing, comparing, stages, demo)
    for row in module.ROWS
}
