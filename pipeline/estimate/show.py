"""The estimate as tables on the console."""

from rich import box
from rich.console import Console
from rich.table import Table

from pipeline.estimate.constants import Constants
from pipeline.estimate.costs import ZERO, Machine, PodCost, Range, Work, add_up
from pipeline.estimate.faces import Faces
from pipeline.platforms.local.threads import SIDE_BY_SIDE
from pipeline.platforms.prices import Prices


def show_local(faces: Faces, works: list[Work], machine: Machine, constants: Constants) -> None:
    """Print what a run on this machine takes."""
    console = Console()
    console.print(_faces(faces), highlight=False)
    memory = "" if machine.memory_gb is None else f", {machine.memory_gb:.0f} GB"
    table = _table(f"What the run takes here ({machine.cores} cores{memory}, no GPU)")
    for column in ("tasks", "steps", "images", "time", "memory", "disk"):
        table.add_column(column, justify="right", no_wrap=True)
    for work in works:
        seconds, memory_text = work.local_seconds(machine.cores), f"{work.memory_gb:.1f} GB"
        disk = work.kept_gb + work.disk_gb * work.tasks_at_once(SIDE_BY_SIDE)
        row = (str(work.tasks), _count(work.steps), _count(work.images), show_time(seconds), memory_text, _size(disk))
        table.add_row(work.stage, *row)
    command = Range(constants.run_seconds, constants.run_seconds)
    total = add_up(works, lambda work: work.local_seconds(machine.cores)) + command
    table.add_section()
    peak = max(work.memory_gb * work.tasks_at_once(SIDE_BY_SIDE) for work in works)
    disk = sum(work.kept_gb for work in works) + max(work.disk_gb * work.tasks_at_once(SIDE_BY_SIDE) for work in works)
    steps, images = (add_up(works, amount) for amount in (lambda work: work.steps, lambda work: work.images))
    table.add_row("all", "", _count(steps), _count(images), show_time(total), f"{peak:.1f} GB", _size(disk))
    console.print(table)
    cpu = add_up(works, lambda work: work.cpu_seconds) + command
    console.print("Steps and images are at most: early stopping may end a training long before.", highlight=False)
    console.print(f"Processor time {show_time(cpu)}. {_origin(constants)}", highlight=False)
    if machine.memory_gb is not None and peak > machine.memory_gb:
        console.print(f"[bold]This machine has {machine.memory_gb:.0f} GB of memory: too little.[/bold]")
    _show_notes(console, faces)


def show_pods(faces: Faces, costs: list[PodCost], target: str, constants: Constants, prices: Prices | None) -> None:
    """Print what a run on a platform takes, and costs where prices are given."""
    console = Console()
    console.print(_faces(faces), highlight=False)
    table = _table(f"What the run takes on {target}")
    table.add_column("machine")
    for column in ("pods", "time each", "pod-hours", *([] if prices is None else [prices.currency])):
        table.add_column(column, justify="right")
    for cost in costs:
        money = [] if prices is None else [_money(cost.price)]
        row = (_machine(cost), str(cost.work.tasks), show_time(cost.seconds), _hours(cost.pod_hours), *money)
        table.add_row(cost.work.stage, *row)
    table.add_section()
    hours = sum((cost.pod_hours for cost in costs), ZERO)
    # Every task of a stage has a pod of its own.
    seconds = sum((cost.elapsed for cost in costs), ZERO)
    known = [cost.price for cost in costs if cost.price is not None]
    total = [] if prices is None else [_money(sum(known, ZERO) if len(known) == len(costs) else None)]
    table.add_row("all, in turn", "", "", show_time(seconds), _hours(hours), *total)
    console.print(table)
    told = f"Waiting for machines, pulling the image and uploads come on top. {_origin(constants)}"
    console.print(told, highlight=False)
    most = max(cost.at_once for cost in costs)
    if any(cost.at_once < cost.work.tasks for cost in costs):
        console.print(f"platform.parallelism lets {most} of a stage's pods run at once.", highlight=False)
    if any(cost.resources.accelerator for cost in costs):
        console.print("The speed of GPUs is not measured but derived from their memory's.", highlight=False)
    if prices is not None and len(known) < len(costs):
        console.print("Name the price of every GPU in prices.accelerator_hour for a sum.", highlight=False)
    elif prices is None:
        console.print("Prices in the section prices of the settings turn hours into money.", highlight=False)
    _show_notes(console, faces)


def _faces(faces: Faces) -> str:
    counts = f"{faces.train['none']:,} train, {faces.validation:,} validation, {faces.test:,} test"
    files = f"{faces.files:,} files ({faces.megabytes:,.0f} MB)"
    return f"Faces: {counts}, of {files}; copies and damaged files are told only once they are read."


def _show_notes(console: Console, faces: Faces) -> None:
    for note in faces.notes:
        console.print(f"Note: {note}", highlight=False, markup=False)


def _origin(constants: Constants) -> str:
    return f"From measurements of {constants.date} on {constants.machine}; your machine may be faster or slower."


def _table(title: str) -> Table:
    # Narrow enough for 80 columns.
    table = Table(box=box.SIMPLE_HEAD, title=title, title_justify="left", padding=(0, 1, 0, 0))
    table.add_column("stage", no_wrap=True)
    return table


def _machine(cost: PodCost) -> str:
    asked = cost.resources
    gpus = f", {asked.accelerator_count} × {asked.accelerator}" if asked.accelerator else ""
    return f"{asked.cpu:g} CPU, {asked.memory_gb:g} GB{gpus}{', spot' if asked.spot else ''}"


def _span(low: str, high: str) -> str:
    return high if low == high else f"{low.partition(' ')[0]}–{high}"


def _count(amount: Range) -> str:
    return f"{amount.high:,.0f}" if amount.high else "–"


def _hours(amount: Range) -> str:
    return _span(f"{amount.low:.2f}", f"{amount.high:.2f}")


def _money(amount: Range | None) -> str:
    return "–" if amount is None else _span(f"{amount.low:,.2f}", f"{amount.high:,.2f}")


def _size(gigabytes: float) -> str:
    return "–" if gigabytes == 0 else f"{gigabytes:.1f} GB" if gigabytes >= 1 else f"{1e3 * gigabytes:.0f} MB"


def show_time(seconds: Range) -> str:
    """Return a range of seconds in the unit that suits it."""
    return _span(_duration(seconds.low, seconds.high), _duration(seconds.high, seconds.high))


def _duration(seconds: float, largest: float) -> str:
    """Return a time in the unit that suits the largest of a range."""
    if largest < 90:
        return f"{seconds:.0f} s"
    if largest < 5400:
        return f"{seconds / 60:.1f} min"
    return f"{seconds / 3600:.1f} h"
