"""``evenface check``: what a source of faces holds, and which settings suit it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from components.errors import DataError
from pipeline.commands.options import SettingsOptions, with_options

if TYPE_CHECKING:
    from rich.table import Table

    from pipeline.check.findings import Findings

_SHOWN = 5


@with_options
def check(
    source: Annotated[
        str,
        typer.Argument(
            help="Folder, archive or .csv or .parquet table of faces, or gs:// URI of one of these.", show_default=False
        ),
    ],
    options: SettingsOptions,
    write: Annotated[
        Path | None, typer.Option(help="File to write the settings to, for run --config.", dir_okay=False)
    ] = None,
) -> None:
    """Read a source and say what it holds, what is faulty and which settings to use, without training anything."""
    import yaml
    from rich.console import Console

    from components.files import atomic_path
    from pipeline.check.findings import check_source
    from pipeline.settings import merge_trees, read_given

    settings = options.read(source)
    with Console(stderr=True).status("Reading the faces …"):  # Silent unless on a terminal.
        findings = check_source(options.require_source(settings), settings)
    _show(findings, source)
    allowed = settings.preprocess.max_reject_fraction
    if findings.fault_share > allowed:
        raise DataError(
            f"{findings.fault_share:.1%} of the images are faulty, but a run accepts {allowed:.1%}",
            remedy="repair or remove them, or raise preprocess.max_reject_fraction",
        )
    # What was asked for here holds for the run, too.
    given = read_given(options.config, options.overrides or [])
    tree = merge_trees(given, {"source": source} | findings.changes)
    text = "".join(
        # A section stands on lines of its own, what it holds is kept short.
        yaml.safe_dump(
            {key: value},
            sort_keys=False,
            default_flow_style=None if isinstance(value, dict) else False,
            width=100,
            allow_unicode=True,
        )
        for key, value in tree.items()
    )
    typer.echo(f"\nSettings to use with the preset {options.preset}:\n\n{text}")
    if write is not None:
        with atomic_path(write) as draft:
            draft.write_text(f"# Suits {source}, says evenface check.\n{text}", encoding="utf-8")
    typer.echo(f"Next: evenface run --preset {options.preset} --config {write or 'FILE'}")


def _show(findings: "Findings", source: str) -> None:
    from rich.console import Console

    from components.dataset.outputs import FOCUS

    console = Console(highlight=False)
    summary, labels = findings.summary, findings.manifest.labels
    what = "rows" if summary.labels_from == "table" else "files"
    # As text, not as markup: brackets in a name are part of it.
    console.print(
        f"{source}: {summary.files:,} {what}, {len(findings.manifest):,} faces to use, {summary.faults:,} faulty.",
        markup=False,
        soft_wrap=True,
    )
    if findings.stated:
        told = ", ".join(f"{name} {rows:,}" if rows else f"{name} none" for name, rows in findings.stated.items())
        console.print(f"Rows that state each output: {told}.", markup=False, soft_wrap=True)
    console.print(_faces_table(findings))
    for line in (*_fault_lines(findings), *_copy_lines(findings)):
        console.print(line, markup=False, soft_wrap=True)
    short, wanted = findings.short_cells, findings.test_set.faces_per_cell
    cells = labels.cell_kind.replace(FOCUS.name, "class")
    console.print(
        f"Test set: {int(findings.taken.sum()):,} faces, {wanted} of each of {labels.cell_count} "
        f"{cells} cells{f', but {len(short)} cells have fewer to give:' if short else '.'}",
        markup=False,
        soft_wrap=True,
    )
    for line in (*_first(short), *findings.notes):
        console.print(line, markup=False, soft_wrap=True)


def _faces_table(findings: "Findings") -> "Table":
    """Return the number of faces by class, gender and age bin."""
    import numpy as np
    from rich import box
    from rich.table import Table
    from rich.text import Text

    labels = findings.manifest.labels
    counts = findings.manifest.cell_counts().reshape(labels.cell_shape)
    table = Table(title="Faces to use", title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 0, 0, 1))
    table.add_column(labels.age_unit if "age" in labels.outputs else "", no_wrap=True)
    groups = [
        (gender, ethnicity) for ethnicity in range(len(labels.ethnicities)) for gender in range(len(labels.genders))
    ]
    for gender, ethnicity in groups:
        names = [labels.ethnicities[ethnicity], *([labels.genders[gender]] if "gender" in labels.outputs else [])]
        table.add_column(Text("\n".join(names)), justify="right")
    for place, name in enumerate(labels.age_bins if "age" in labels.outputs else ()):
        table.add_row(name, *(f"{counts[gender, ethnicity, place]:,}" for gender, ethnicity in groups))
    table.add_section()
    totals = np.sum(counts, axis=2)
    table.add_row("all", *(f"{totals[gender, ethnicity]:,}" for gender, ethnicity in groups))
    return table


def _fault_lines(findings: "Findings") -> list[str]:
    lines: list[str] = []
    from components.dataset.reasons import FAULTS

    rejects = findings.rejects
    counts = rejects["reason"].value_counts()
    # What can be repaired comes first.
    for reason in sorted(counts.index, key=lambda reason: reason not in FAULTS):
        count = counts[reason]
        files = rejects[rejects["reason"] == reason]
        lines.append(f"{count:,} not used: {reason}")
        shown = [
            f"{name} ({detail})" if detail else str(name)
            for name, detail in zip(files["file_name"], files["detail"], strict=True)
        ]
        lines += _first(shown)
    return lines


def _copy_lines(findings: "Findings") -> list[str]:
    """Name the faces to use that have the bytes of another one; those that are dropped are among the rejects."""
    faces = findings.manifest.faces
    copies = faces[faces["content_hash"].duplicated(keep=False)]
    if copies.empty:
        return []
    groups = [" = ".join(names) for _, names in copies.groupby("content_hash", sort=False)["file_name"]]
    conflicts = findings.summary.copies.conflicting
    disagree = f"; the labels of {conflicts} groups of copies conflict" if conflicts else ""
    return [f"{len(copies):,} faces to use have the bytes of another one{disagree}", *_first(groups)]


def _first(lines: list[str]) -> list[str]:
    more = [f"  … and {len(lines) - _SHOWN:,} more"] if len(lines) > _SHOWN else []
    return [f"  {line}" for line in lines[:_SHOWN]] + more
