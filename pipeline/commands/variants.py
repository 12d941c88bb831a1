"""``evenface variants``: the cures that can be compared."""


def variants() -> None:
    """List the variants: which cure each one uses for age, gender and ethnicity, and where it comes from."""
    from rich.console import Console
    from rich.padding import Padding
    from rich.text import Text

    from components.imbalance.registry import SLOTS
    from components.imbalance.settings import list_variants

    rows = list_variants()
    columns = ("name", *SLOTS)
    widths = {column: max(len(row[column]) for row in [*rows, {column: column}]) for column in columns}

    def line(cells: dict[str, str]) -> str:
        return "  ".join(f"{cells[column]:<{widths[column]}}" for column in columns).rstrip()

    console = Console()
    console.print(line({column: column for column in columns}), style="bold", soft_wrap=True, highlight=False)
    for row in rows:
        console.print(line(row), soft_wrap=True, highlight=False, markup=False)
        for text in (f"{row['title']}; source: {row['source']}", row["settings"]):
            if text:
                console.print(Padding(Text(text, style="dim"), (0, 0, 0, 4)))
