"""The report as a reader sees and uses it, in a browser that reaches no network."""

import json
import shutil
import subprocess
import tarfile
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from components.compare.report.render import render, render_runs
from components.compare.run_pairs import FinishedRun, RowChange, RunPair
from tests.components.compare.comparisons import PICTURE, make_comparison
from tests.components.compare.report.browser import chromium

pytestmark = pytest.mark.browser

HOSTILE = '</title><script>alert(\'$x$ & y\')</script>"><img src=http://example.org/x style="color: red">_and_long_name'

AXE = "axe-core@4.14.1"


@pytest.fixture(scope="module")
def comparison():
    content = make_comparison(
        {"baseline": 0.6, "ins": 0.72, HOSTILE: 0.66},
        titles={HOSTILE: HOSTILE},
        missing=[("lds", 1)],
        run={"name": HOSTILE, "date": "2030-03-01", "source": HOSTILE, "preset": "poc", "command": HOSTILE},
        pictures={"first": PICTURE},
    ).to_json()
    content["dataset"]["preprocess"] |= {
        "synthetic": True,
        "copies": {"groups": 1, "faces": 2, "identical": 2, "conflicting": 1,
                   "conflicts": [{"faces": 2, "files": [HOSTILE, "b.jpg"], "differ": ["age"]}]},
    }  # fmt: skip
    return type(make_comparison()).model_validate(content)


@pytest.fixture(scope="module")
def address(comparison, tmp_path_factory):
    report = tmp_path_factory.mktemp("page") / "report.html"
    report.write_text(render(comparison), encoding="utf-8")
    return report.as_uri()


@pytest.fixture(scope="module")
def tab(tmp_path_factory):
    with chromium(tmp_path_factory.mktemp("profile")) as opened:
        yield opened


@pytest.fixture(scope="module")
def axe(tmp_path_factory):
    """The accessibility checker of Deque, which is fetched once and kept in the user's cache."""
    kept = Path.home() / ".cache" / "evenface-tests" / f"{AXE}.min.js"
    if not kept.is_file():
        if (npm := shutil.which("npm")) is None:
            pytest.skip(f"no npm on this machine to fetch {AXE} with")
        folder = tmp_path_factory.mktemp("axe")
        try:
            subprocess.run(
                [npm, "pack", AXE, "--pack-destination", folder], check=True, capture_output=True, timeout=90
            )
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired):
            pytest.skip(f"{AXE} can't be fetched from the npm registry")
        [package] = folder.glob("*.tgz")
        with tarfile.open(package) as archive:
            source = archive.extractfile("package/axe.min.js").read()
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.write_bytes(source)
    return kept.read_text(encoding="utf-8")


@pytest.mark.parametrize("width", [390, 1280])
def test_it_opens_quietly_asks_for_nothing_and_fits(tab, address, width):
    tab.faults.clear()
    tab.requests.clear()
    tab.open(address, width=width)
    assert tab.faults == []
    assert [asked for asked in tab.requests if not asked.startswith(("file:", "data:"))] == []
    assert tab.run("document.documentElement.scrollWidth - innerWidth") <= 0
    assert tab.run("document.querySelectorAll('script').length") == 1
    assert tab.run("document.title").endswith("(evenface)")
    # The answer comes before the contents, and what decides is on the screen.
    assert tab.run("document.querySelector('h1').getBoundingClientRect().bottom") < 900
    assert tab.run(
        "document.querySelector('h1').getBoundingClientRect().top < "
        "document.querySelector('nav').getBoundingClientRect().top"
    )
    deciding = "document.querySelector('#results-table tbody td .value').getBoundingClientRect().right"
    assert tab.run(deciding) <= width
    # Nobody has to scroll sideways for the oldest ages or for what a step has dropped.
    for whole in ("#cells .switch > div:last-child .map", "#age svg", "#data [data-chart=flow] svg"):
        assert tab.run(f"document.querySelector('{whole}').getBoundingClientRect().right") <= width
    assert tab.run(
        "[...document.querySelectorAll('#cells .switch > div:last-child .map td b')]"
        ".every((value) => value.offsetWidth <= value.parentElement.offsetWidth)"
    )
    assert tab.run(
        "[...document.querySelectorAll('svg')].every((chart) => chart.getAttribute('role') === 'img' && "
        "document.getElementById(chart.getAttribute('aria-labelledby').split(' ')[0]).textContent.length > 3)"
    )


def test_its_policy_stops_what_is_not_its_own(tab, address):
    tab.open(address)
    tab.run(
        "new Promise((done) => { const picture = new Image(); picture.onerror = done; picture.onload = done;"
        "picture.src = 'http://example.org/pixel.png'; document.body.append(picture); })"
    )
    tab.run("document.body.insertAdjacentHTML('beforeend', '<p id=styled style=\"color: rgb(1, 2, 3)\">x</p>')")
    assert tab.run("getComputedStyle(document.getElementById('styled')).color") != "rgb(1, 2, 3)"
    assert len([fault for fault in tab.faults if "Content Security Policy" in fault]) == 2
    # A heat map has its colours although no element has a style of its own.
    assert tab.run("getComputedStyle(document.querySelector('.heat tbody td')).backgroundColor") != "rgba(0, 0, 0, 0)"


def test_the_results_sort_by_any_column_with_the_best_first_and_the_unknown_last(tab, address):
    tab.open(address)
    click = "document.querySelectorAll('#results-table thead th')[{}].querySelector('button').click()"
    column = "[...document.querySelectorAll('#results-table tbody tr')].map((row) => row.cells[{}].dataset.value ?? '')"
    orders = {1: True, 3: False}  # Macro F1, where more is better, and age MAE.
    for place, is_descending in orders.items():
        for reverse in (is_descending, not is_descending):
            tab.run(click.format(place))
            *known, last = tab.run(column.format(place))
            assert last == ""
            assert [float(value) for value in known] == sorted(map(float, known), reverse=reverse)
            shown = tab.run(f"document.querySelectorAll('#results-table thead th')[{place}].getAttribute('aria-sort')")
            assert shown == ("descending" if reverse else "ascending")
    assert tab.run("document.querySelectorAll('#results-table [aria-sort]').length") == 1
    assert tab.run("document.querySelector('#results-table tfoot').textContent.includes('Constant predictor')")


def test_folds_and_switches_show_one_thing_at_a_time(tab, address):
    tab.open(address)
    shown = "[...document.querySelectorAll('#cells .switch > div')].map((panel) => panel.offsetHeight > 0)"
    assert tab.run(shown) == [False, False, True]
    tab.run("document.querySelector('#cells label').click()")
    assert tab.run(shown) == [True, False, False]
    tables = "document.querySelectorAll('#classes table')"
    assert tab.run(f"[...{tables}].filter((table) => table.checkVisibility()).length") == 0
    tab.run("document.querySelector('#classes details > summary').click()")
    assert tab.run(f"[...{tables}].filter((table) => table.checkVisibility()).length") == 1


def test_it_is_readable_without_scripts(tab, address):
    tab.open(address, scripts=False)
    visible = "document.getElementById('{}').checkVisibility()"
    assert tab.run("document.querySelector('h1').textContent").startswith("Ship the")
    assert tab.run(visible.format("results-table"))
    assert tab.run("document.querySelectorAll('button').length") == 0


def test_it_prints_with_what_was_folded(tab, address):
    tab.open(address)
    printed = tab.pdf()
    assert printed.startswith(b"%PDF")
    # What a printer gets: the same styles, looked at on the screen.
    tab.send("Emulation.setEmulatedMedia", media="print")
    is_shown = "document.querySelector('{}').checkVisibility({{contentVisibilityAuto: true}})"
    assert tab.run("dispatchEvent(new Event('beforeprint')), true")
    assert tab.run(is_shown.format("#recommendation details p"))
    panels = "[...document.querySelectorAll('#classes .switch > div')].every((panel) => panel.offsetHeight > 0)"
    assert tab.run(panels)
    assert not tab.run(is_shown.format("nav"))
    tab.run("dispatchEvent(new Event('afterprint')), true")
    assert not tab.run("document.querySelector('#recommendation details').open")
    tab.send("Emulation.setEmulatedMedia", media="")


@pytest.mark.parametrize("dark", [False, True])
def test_an_accessibility_checker_finds_nothing_serious(tab, address, axe, dark):
    tab.open(address, dark=dark)
    tab.run("for (const fold of document.querySelectorAll('details')) fold.open = true")
    found = serious_faults(tab, axe)
    assert found["checked"] > 20
    assert found["faults"] == []


def serious_faults(tab, axe):
    tab.run(f"{axe}; true")
    return tab.run(
        "axe.run().then((told) => ({checked: told.passes.length, faults: told.violations"
        ".filter((fault) => ['serious', 'critical'].includes(fault.impact))"
        ".map((fault) => [fault.id, fault.nodes.map((node) => node.html)])}))"
    )


def test_the_page_of_two_runs_is_quiet_fits_sorts_and_is_accessible(tab, comparison, axe, tmp_path):
    names = ["baseline", "ins", HOSTILE, "gone"]
    changes = [
        RowChange(name, "ethnicity_macro_f1", 0.5, 0.6, *ends)
        for name, ends in zip(names, [(0.1, 0.05, 0.2), (-0.2, -0.3, -0.1), (0.3, -0.1, 0.7), (None,) * 3], strict=True)
    ]
    sides = [FinishedRun(name, comparison, tmp_path) for name in ("1. spring", HOSTILE)]
    page = tmp_path / "two.html"
    page.write_text(render_runs(RunPair(*sides, paired=True, changes=changes)), encoding="utf-8")
    tab.faults.clear()
    tab.requests.clear()
    tab.open(page.as_uri(), width=390, dark=True)
    assert tab.faults == []
    assert [asked for asked in tab.requests if not asked.startswith(("file:", "data:"))] == []
    assert tab.run("document.documentElement.scrollWidth - innerWidth") <= 0
    assert tab.run("document.querySelector('#differences-table td .value').getBoundingClientRect().right") <= 390
    tab.run("document.querySelectorAll('#differences-table thead button')[1].click()")
    sorted_names = "[...document.querySelectorAll('#differences-table tbody tr')].map((row) => row.dataset.row)"
    assert tab.run(sorted_names) == [HOSTILE, "baseline", "ins", "gone"]
    assert serious_faults(tab, axe)["faults"] == []


def test_dark_is_dark(tab, address):
    tab.open(address, dark=True)
    image = np.asarray(Image.open(BytesIO(tab.picture())).convert("L"))
    assert image.mean() < 80


def test_in_the_sandboxed_frame_of_the_pipelines_ui_the_report_fits_sorts_and_follows_its_links(tab, tmp_path):
    # kubeflow/pipelines, frontend/src/components/viewers/HTMLViewer.tsx: the text of the page becomes ``srcdoc`` of an
    # iframe that may run scripts and nothing else, in a card that is 250 pixels wide until it is popped out.
    report = json.dumps(render(make_comparison({"baseline": 0.6, "ins": 0.72}))).replace("</", "<\\/")
    page = tmp_path / "ui.html"
    page.write_text(
        "<!doctype html><meta charset='utf-8'><div style='width: 250px'>"
        "<iframe src='about:blank' sandbox='allow-scripts' style='width: 100%; min-height: 600px'></iframe></div>"
        f"<script>document.querySelector('iframe').srcdoc = {report};</script>",
        encoding="utf-8",
    )
    tab.faults.clear()
    tab.requests.clear()
    tab.open(page.as_uri())
    assert tab.run("document.readyState", inside=True) == "complete"
    assert tab.run("document.documentElement.scrollWidth <= innerWidth", inside=True)
    # Neither the page's policy nor the sandbox stops its script and its style.
    heads = "document.querySelectorAll('table.sortable th button')"
    assert tab.run(f"{heads}[1].click(), {heads}[1].parentElement.ariaSort", inside=True) == "descending"
    assert tab.run("document.styleSheets[0].cssRules.length > 9", inside=True)
    link = "[...document.querySelectorAll('a[href^=\"#\"]')].at(-1)"
    scrolled = "new Promise((done) => document.addEventListener('scrollend', () => done(scrollY), {once: true}))"
    assert tab.run(f"{link}.click(), {scrolled}", inside=True) > 600
    assert tab.run("location.href", inside=True) == "about:srcdoc"
    assert tab.faults == []
    assert [address for address in tab.requests if not address.startswith(("data:", "file:", "about:"))] == []
