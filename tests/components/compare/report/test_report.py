"""The report: everything it promises is there, for every variant, in one file that needs nothing else."""

import copy
import dataclasses
import re
import shutil
import subprocess
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest

from components.compare.comparison import build_comparison
from components.compare.data_facts import DataFacts
from components.compare.report.formats import decimal, p_value
from components.compare.report.render import render_report
from components.compare.runs import Run
from components.compare.settings import ComparisonSettings

PRIORS = [0.55, 0.24, 0.04, 0.17]
HOSTILE = "</title><script>alert('$x$ & y')</script>|`"
VOID = {"meta", "link", "br", "img", "input", "hr"}
SUMMARY = {
    "steps": [{"step": "files", "faces": 3003, "removed": 0, "why": "every file"},
              {"step": "max_age", "faces": 3000, "removed": 3, "why": "older than 80"}],
    "rejects": {"above_the_age_limit": 3},
    "before": {"gender": {"Male": 1503, "Female": 1500}, "ethnicity": {"White": 2000, "Other": 1003},
               "age": {"1": 1000, "35": 2000, "99": 3}},
    "after": {"gender": {"Male": 1500, "Female": 1500}, "ethnicity": {"White": 2000},
              "age": {"1": 1000, "35": 2000}},
    "correlation": {"columns": ["age", "log_age"], "matrix": [[1, 0.85], [None, 1]]},
}  # fmt: skip


class Page(HTMLParser):
    """A page as a list of elements, each with its tag, attributes, ancestors and text."""

    def __init__(self, source):
        super().__init__()
        self.elements, self._open = [], []
        self.feed(source)

    def handle_starttag(self, tag, attrs):
        element = {"tag": tag, "attrs": dict(attrs), "within": list(self._open), "text": ""}
        self.elements.append(element)
        if tag not in VOID:
            self._open.append(element)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        self.handle_endtag(tag)

    def handle_endtag(self, tag):
        while self._open and self._open.pop()["tag"] != tag:
            pass

    def handle_data(self, data):
        for element in self._open:
            element["text"] += data

    def find(self, tag, within=None, **attributes):
        wanted = {name.replace("_", "-"): value for name, value in attributes.items()}
        return [
            element
            for element in self.elements
            if element["tag"] == tag
            and element["attrs"].items() >= wanted.items()
            and (within is None or any(one is within for one in element["within"]))
        ]

    def section(self, name):
        return self.find("section", id=name)[0]


@dataclasses.dataclass
class Content:
    comparison: dict
    histories: dict
    predictions: list

    def render(self, folder, summary=SUMMARY):
        html, markdown = folder / "report.html", folder / "report.md"
        render_report(self.comparison, summary, self.histories, self.predictions, html, markdown)
        return html.read_text(), markdown.read_text()


def _content(make_manifest, predictions, titles=None, expected=(), posthoc=True):
    manifest = make_manifest(3000, priors=PRIORS)
    faces = predictions[0].faces
    test = make_manifest(len(faces))
    columns = ["image_id", "age", "age_bin", "gender", "ethnicity"]
    test = dataclasses.replace(test, faces=test.faces.assign(**{name: faces[name] for name in columns}))
    data = DataFacts(manifest, manifest.subset(np.arange(2000)), manifest.subset(np.arange(2000, 3000)), test, 3)
    epochs = np.arange(1, 4)
    curves = {"epoch": epochs, "loss": 3 / epochs, "val_loss": 3.2 / epochs, "age_mae": 1 / epochs,
              "val_age_mae": 1.1 / epochs, "gender_accuracy": epochs / 4, "val_gender_accuracy": epochs / 5,
              "ethnicity_macro_f1": epochs / 4, "val_ethnicity_macro_f1": epochs / 5}  # fmt: skip
    runs = []
    for each in predictions:
        about = {"variant": each.variant, "seed": each.seed, "class_priors": PRIORS, "train_seconds": 10.0,
                 "epochs_run": 3, "best_epoch": 2, "hyperparameters": {"dropout": 0.25, "units": [64, 32]}}  # fmt: skip
        about["title"] = (titles or {}).get(each.variant)
        runs.append(Run(each, about, pd.DataFrame(curves)))
    comparison = build_comparison(
        runs, data, ComparisonSettings(resamples=100, permutations=999, posthoc={"enabled": posthoc}), expected=expected
    )
    return Content(comparison, {(one.variant, one.seed): pd.DataFrame(curves) for one in predictions}, predictions)


@pytest.fixture(scope="module")
def content(make_manifest, predict):
    predictions = [
        predict(variant, seed, priors=priors, age_error=error)
        for variant, priors, error in (("baseline", PRIORS, 9.0), ("ins", PRIORS, 8.0), ("logit_adjusted", None, 8.5))
        for seed in (1, 2)
    ]
    expected = [(variant, 1) for variant in ("baseline", "ins", "logit_adjusted", "lds")]
    return _content(make_manifest, predictions, expected=expected)


@pytest.fixture(scope="module")
def written(content, tmp_path_factory):
    return content.render(tmp_path_factory.mktemp("report"))


@pytest.fixture(scope="module")
def page(written):
    return Page(written[0])


def test_the_headline_is_the_recommendation_and_its_reason(page, content):
    hero = page.section("recommendation")["text"]
    assert content.comparison["recommended"]["variant"] in hero
    assert content.comparison["recommended"]["because"] in hero


def test_every_variant_has_a_row_with_its_numbers_and_intervals(page, content):
    table = page.find("table", id="results-table")[0]
    rows = {
        row["attrs"]["data-variant"]: row["text"]
        for row in page.find("tr", within=table)
        if "data-variant" in row["attrs"]
    }
    comparison = content.comparison
    assert list(rows) == [
        "baseline",
        "baseline+posthoc",
        "ins",
        "ins+posthoc",
        "logit_adjusted",
        "logit_adjusted+posthoc",
        "lds",
    ]
    for name, facts in comparison["variants"].items():
        for metric, places in (("age_mae", 2), ("gender_accuracy", 3), ("ethnicity_macro_f1", 3)):
            for end in ("value", "low", "high", "std"):
                assert decimal(facts[metric][end], places) in rows[name]
    assert "no results" in rows["lds"]
    floor = page.find("tr", data_kind="floor")[0]["text"]
    assert decimal(comparison["floor"]["age_mae"]["value"], 2) in floor


def test_only_significant_differences_are_marked_in_the_results(page, content):
    table = page.find("table", id="results-table")[0]
    shown = {
        (row["attrs"]["data-variant"], mark["text"])
        for row in page.find("tr", within=table, data_kind="trained")
        for mark in page.find("span", within=row)
        if mark["text"] in {"▲", "▼"}
    }
    marks = {"better": "▲", "worse": "▼"}
    metrics = {"age_mae", "gender_accuracy", "ethnicity_macro_f1"}
    tests = [test for test in content.comparison["paired"] if test["metric"] in metrics and "posthoc" not in test["a"]]
    assert shown == {(test["a"], marks[test["verdict"]]) for test in tests if test["significant"]}
    assert shown


def test_the_best_of_a_column_is_the_lowest_error_and_the_highest_accuracy(page, content):
    table = page.find("table", id="results-table")[0]
    best = [cell for cell in page.find("td", within=table) if "best" in cell["attrs"].get("class", "").split()]
    errors = {name: facts["age_mae"]["value"] for name, facts in content.comparison["variants"].items()}
    lowest = min(errors, key=errors.get)
    first = next(cell for cell in best if decimal(errors[lowest], 2) in cell["text"])
    assert {"data-variant": lowest}.items() <= first["within"][-1]["attrs"].items()
    assert len(best) >= 4


@pytest.mark.parametrize(("kind", "classes"), [("gender", 2), ("ethnicity", 4)])
def test_every_variant_has_both_confusion_matrices_with_all_faces(page, content, kind, classes):
    matrices = {table["attrs"]["data-variant"]: table for table in page.find("table", data_matrix=kind)}
    variants = content.comparison["variants"]
    assert set(variants) <= set(matrices)
    for name in variants:
        cells = [one["text"] for one in page.find("small", within=matrices[name]) if one["within"][-1]["tag"] == "td"]
        assert len(cells) == classes**2
        assert sum(map(int, cells)) == 640 * 2


def test_f1_of_every_class_is_drawn_and_told(page):
    charts = page.find("div", data_chart="f1")[0]
    titles = [title["text"] for title in page.find("title", within=charts)]
    assert titles == [f"Ethnicity F1, {name}" for name in ("White", "Black", "Asian", "Indian")]


@pytest.mark.parametrize(
    ("section", "charts"), [("classes", 4), ("age", 2), ("differences", 4), ("data", 4), ("training", 12)]
)
def test_every_chart_is_there_and_described(page, section, charts):
    drawings = page.find("svg", within=page.section(section))
    assert len(drawings) == charts
    for drawing in drawings:
        assert drawing["attrs"]["role"] == "img"
        ids = drawing["attrs"]["aria-labelledby"].split()
        title, description = (next(one for one in page.elements if one["attrs"].get("id") == each) for each in ids)
        assert len(title["text"]) > 3
        assert re.search(r"\d", description["text"])


def test_worst_group_of_each_variant_is_marked(page, content):
    tables = page.find("table", data_groups="ethnicity_recall")
    marked = [cell["text"] for cell in page.find("td", within=tables[0]) if "worst" in cell["attrs"]["class"].split()]
    for facts in content.comparison["variants"].values():
        worst = decimal(facts["groups"]["ethnicity_recall"]["worst"]["value"], 2)
        assert any(worst in text for text in marked)


def test_data_shows_each_step_reason_and_correlation(page):
    text = page.section("data")["text"]
    for shown in ("max age", "older than 80", "above the age limit", "0.85", "–"):
        assert shown in text


def test_contents_lead_to_every_section_in_order(page):
    links = [one["attrs"]["href"][1:] for one in page.find("a", within=page.find("nav")[0])]
    assert links == [section["attrs"]["id"] for section in page.find("section")]
    assert links[:2] == ["recommendation", "results"]
    assert links[-1] == "reading"


def test_identifiers_are_unique_and_every_reference_has_its_target(page, written):
    ids = [one["attrs"]["id"] for one in page.elements if "id" in one["attrs"]]
    assert len(ids) == len(set(ids))
    referred = set(re.findall(r'(?:href="#|url\(#)([^")]+)', written[0]))
    assert referred <= set(ids)


def test_the_file_needs_no_network_and_shows_no_photograph(page, written):
    html, _ = written
    for attribute in ("src", "href", "xlink:href", "srcset", "action"):
        assert all(one["attrs"].get(attribute, "#").startswith("#") for one in page.elements)
    assert not re.search(r"url\((?!#)|@import|data:image", html)
    assert not {one["tag"] for one in page.elements} & {"script", "link", "img", "image", "iframe"}
    assert len(html.encode()) < 3_000_000


def test_charts_have_the_colours_of_the_theme_alone(page, written):
    drawn = re.findall(r"<svg.*?</svg>", written[0], re.DOTALL)
    assert not [found for one in drawn for found in re.findall(r"(?:fill|stroke): #\w+", one)]


def test_the_same_content_gives_the_same_report(content, written, tmp_path):
    assert content.render(tmp_path) == written


def test_a_hostile_name_stays_text(make_manifest, predict, tmp_path):
    predictions = [predict("baseline", 1, priors=PRIORS), predict(HOSTILE, 1, priors=PRIORS)]
    html, markdown = _content(make_manifest, predictions, titles={HOSTILE: HOSTILE}).render(tmp_path)
    page = Page(html)
    assert not page.find("script")
    assert any(row["attrs"].get("data-variant") == HOSTILE for row in page.find("tr"))
    assert "<script" not in markdown
    row = next(line for line in markdown.splitlines() if "alert" in line and line.startswith("|"))
    assert len(re.findall(r"(?<!\\)\|", row)) == len(re.findall(r"\|", "| Variant | Seeds | a | b | c | d |"))


def test_one_variant_with_one_seed_gives_a_whole_report(make_manifest, predict, tmp_path):
    html, markdown = _content(make_manifest, [predict("baseline", 1)], posthoc=False).render(tmp_path, summary={})
    page = Page(html)
    assert "Keep Baseline" in " ".join(page.section("recommendation")["text"].split())
    assert not page.find("section", id="differences")
    assert "sd " not in page.find("table", id="results-table")[0]["text"]
    assert "baseline (recommended)" in markdown


def test_numbers_that_are_null_become_dashes(content, tmp_path):
    broken = copy.deepcopy(content)
    facts = broken.comparison["variants"]["ins"]
    for metric in ("age_mae", "ethnicity_macro_f1"):
        facts[metric] = dict.fromkeys(facts[metric])
        facts["natural"][metric] = dict.fromkeys(("value", "low", "high"))
    for metric in ("ethnicity_f1", "age_mae_by_bin"):
        facts[metric] = dict.fromkeys(facts[metric])
        facts["intervals"][metric] = {name: dict.fromkeys(("value", "low", "high")) for name in facts[metric]}
    for test in broken.comparison["paired"]:
        if test["a"] == "ins":
            test.update(difference=None, low=None, high=None, p=None, p_adjusted=None)
    page = Page(broken.render(tmp_path)[0])
    row = page.find("tr", data_variant="ins")[0]
    assert [cell["text"] for cell in page.find("span", within=row) if cell["text"] == "–"]
    assert not re.search(r"\b(nan|None|null)\b", page.find("main")[0]["text"].replace("none", ""))


def test_facts_that_no_stage_counted_leave_no_hole(content, tmp_path):
    bare = copy.deepcopy(content)
    for key in ("floor", "tuning", "notes", "provenance", "posthoc", "paired", "missing"):
        del bare.comparison[key]
    for facts in bare.comparison["variants"].values():
        for key in ("groups", "natural", "intervals", "history", "hyperparameters", "cures", "epochs_run"):
            facts.pop(key, None)
    bare.comparison["dataset"] = {"test": 640}
    bare.histories, bare.predictions = {}, []
    page = Page(bare.render(tmp_path, summary={})[0])
    assert page.find("tr", data_variant="ins")
    assert not page.find("section", id="training")


def test_the_markdown_has_a_row_per_variant(written, content):
    lines = [line for line in written[1].splitlines() if line.startswith("| ")]
    for name, facts in content.comparison["variants"].items():
        assert any(line.startswith(f"| {name} ") and decimal(facts["age_mae"]["value"], 2) in line for line in lines)
    assert any(line.startswith("| constant predictor") for line in lines)


@pytest.mark.parametrize(("value", "text"), [(-0.5, "−0.500"), (-0.0001, "0.000"), (None, "–"), (float("nan"), "–")])
def test_decimals_have_a_true_minus_and_a_dash_for_nothing(value, text):
    assert decimal(value) == text


@pytest.mark.parametrize(("value", "text"), [(0.00001, "< 0.0001"), (0.0123, "0.012"), (1.0, "1.00"), (None, "–")])
def test_p_values_are_as_exact_as_can_be_read(value, text):
    assert p_value(value) == text


@pytest.mark.browser
def test_a_browser_shows_the_results_without_any_request(written, content, tmp_path):
    binary = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)
    if binary is None:
        pytest.skip("no Chromium on this machine")
    report = tmp_path / "report.html"
    # What the browser alone knows: how wide the page is in a narrow window, and what it had to load.
    probe = """<script>Object.assign(document.body.dataset, {
        overflow: document.documentElement.scrollWidth - innerWidth,
        loaded: performance.getEntriesByType("resource").length,
    })</script>"""
    report.write_text(written[0].replace("</body>", f"{probe}</body>"))
    command = [binary, "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking",
               "--host-resolver-rules=MAP * ~NOTFOUND", f"--user-data-dir={tmp_path / 'profile'}",
               "--window-size=500,900", "--dump-dom", report.as_uri()]  # fmt: skip
    shown = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout
    page = Page(shown)
    table = page.find("table", id="results-table")[0]
    named = [row["attrs"]["data-variant"] for row in page.find("tr", within=table) if "data-variant" in row["attrs"]]
    assert set(named) == {*content.comparison["variants"], *content.comparison["posthoc"], "lds"}
    told = page.find("body")[0]["attrs"]
    assert int(told["data-overflow"]) <= 0
    assert int(told["data-loaded"]) == 0
