"""The report: everything it promises is there, for every variant, in one file that needs nothing else."""

import base64
import hashlib
import re
from dataclasses import replace
from html.parser import HTMLParser
from itertools import combinations
from pathlib import Path

import pytest

from components.compare.contract import Comparison
from components.compare.report.charts.canvas import Point, draw, label_points
from components.compare.report.formats import decimal, p_value
from components.compare.report.render import render, render_runs, summarise, write_report
from components.compare.run_pairs import FinishedRun, RowChange, RunPair
from components.dataset.outputs import OUTPUTS
from components.evaluation.catalogue import MAIN, TESTED, Better
from tests.components.compare import comparisons
from tests.components.compare.comparisons import FACES, LABELS, PICTURE, SKILLS, make_comparison

HOSTILE = "</title><script>alert('$x$ & y')</script>|`"
VOID = {"meta", "link", "br", "img", "input", "hr", "wbr"}


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
            and (within is None or any(outer is within for outer in element["within"]))
        ]

    def section(self, name):
        return self.find("section", id=name)[0]


@pytest.fixture(scope="module")
def comparison():
    return make_comparison(missing=[("lds", 1), ("ins", 3)])


@pytest.fixture(scope="module")
def html(comparison):
    return render(comparison)


@pytest.fixture(scope="module")
def page(html):
    return Page(html)


def test_the_headline_is_the_recommendation_and_its_reason(page, comparison):
    hero = page.section("recommendation")["text"]
    assert comparison.recommended.variant in hero
    assert comparison.recommended.because in hero


def test_every_row_has_its_numbers_and_intervals(page, comparison):
    table = page.find("table", id="results-table")[0]
    rows = {
        row["attrs"]["data-variant"]: row["text"]
        for row in page.find("tr", within=table)
        if "data-variant" in row["attrs"]
    }
    trained = ["baseline", "ins", "logit_adjusted"]
    assert list(rows) == [*(row for name in trained for row in (name, f"{name}+posthoc")), "lds"]
    for name, facts in comparison.variants.items():
        for metric in MAIN.values():
            for end in ("value", "low", "high", "std"):
                assert decimal(getattr(facts.scalar(metric), end), metric.decimals) in rows[name]
    assert "no results: seed 3" in rows["ins"]
    assert "no results" in rows["lds"]
    dummy = page.find("tr", data_kind="dummy")[0]["text"]
    assert all(decimal(comparison.dummy.scalar(metric).value, metric.decimals) in dummy for metric in MAIN.values())


def test_only_significant_differences_are_marked_in_the_results(page, comparison):
    table = page.find("table", id="results-table")[0]
    shown = {
        (row["attrs"]["data-variant"], mark["text"])
        for row in page.find("tr", within=table, data_kind="trained")
        for mark in page.find("span", within=row)
        if mark["text"] in {"▲", "▼"}
    }
    marks = {"better": "▲", "worse": "▼"}
    tests = [test for test in comparison.paired if test.metric in MAIN and test.a in comparison.variants]
    assert shown == {(test.a, marks[test.verdict]) for test in tests if test.significant}
    assert {mark for _, mark in shown} == {"▲", "▼"}


def test_the_best_of_a_column_is_the_lowest_error_and_the_highest_accuracy(page, comparison):
    table = page.find("table", id="results-table")[0]
    best = [cell for cell in page.find("td", within=table) if "best" in cell["attrs"].get("class", "").split()]
    marked = [(cell["within"][-1]["attrs"]["data-variant"], cell["text"]) for cell in best]
    for metric in MAIN.values():
        values = {name: row.scalar(metric).value for name, row in comparison.rows.items()}
        winner = (min if metric.better is Better.LOWER else max)(values, key=values.get)
        shown = decimal(values[winner], metric.decimals)
        assert any(name == winner and shown in text for name, text in marked)
    assert len(best) == len(MAIN) + 1


@pytest.mark.parametrize("output", ["gender", "ethnicity"])
def test_every_variant_has_both_confusion_matrices_with_all_faces(page, comparison, output):
    matrices = {table["attrs"]["data-variant"]: table for table in page.find("table", data_matrix=output)}
    assert set(matrices) == set(comparison.rows if output == "ethnicity" else comparison.variants)
    for table in matrices.values():
        counts = [cell["text"] for cell in page.find("small", within=table) if cell["within"][-1]["tag"] == "td"]
        assert len(counts) == len(LABELS.names(output)) ** 2
        assert sum(map(int, counts)) == FACES * 2


def test_f1_of_every_class_is_drawn_and_told(page):
    charts = page.find("div", data_chart="f1")[0]
    titles = [title["text"] for title in page.find("title", within=charts)]
    assert titles == [f"Ethnicity F1, {name}" for name in LABELS.ethnicities]


@pytest.mark.parametrize(
    ("section", "charts"),
    [
        ("classes", len(LABELS.ethnicities)),
        ("frontier", 2),
        ("age", 3),
        ("differences", len(TESTED)),
        ("data", len(OUTPUTS) + 2),
        ("tuning", 1),
        ("training", len(SKILLS) * (len(MAIN) + 1)),
    ],
)
def test_every_chart_is_there_and_described(page, section, charts):
    drawings = page.find("svg", within=page.section(section))
    assert len(drawings) == charts
    for drawing in drawings:
        assert drawing["attrs"]["role"] == "img"
        ids = drawing["attrs"]["aria-labelledby"].split()
        title, description = (next(one for one in page.elements if one["attrs"].get("id") == key) for key in ids)
        assert len(title["text"]) > 3
        assert re.search(r"\d", description["text"])


def test_the_box_plot_is_drawn_from_the_comparison(page):
    described = page.find("desc", id="age-errors-description")[0]["text"]
    assert "baseline: median error 1-10 1.2" in described
    assert "ins: median error 1-10 1.2" in described


def test_what_rests_on_cells_that_training_never_saw_is_said_beside_the_numbers(page, comparison):
    for section in ("results", "classes", "groups"):
        assert "20 of the 160 White test faces come from" in " ".join(page.section(section)["text"].split())
    assert "20 of the" in page.section("age")["text"]


def test_all_outputs_stand_side_by_side_with_the_frontier(page, comparison):
    table = page.find("table", data_table="frontier")[0]["text"]
    assert "frontier" in table
    assert table.count("baseline+posthoc") >= 1
    for row in comparison.rows:
        assert row in table


def test_calibration_has_every_output_and_group(page, comparison):
    for output in ("gender", "ethnicity"):
        table = page.find("table", data_calibration=output)[0]["text"]
        assert "0.080" in table
        assert "Asian" in table
    assert "Post-hoc adjustment divides the logits by a temperature" in page.section("calibration")["text"]


@pytest.mark.parametrize(
    ("standing", "line"),
    [
        ("recommended", "Ship the baseline model, adjusted after training"),
        ("indicated", "Don’t ship yet: the baseline model, adjusted after training, leads, but 2 seeds are too few"),
    ],
)
def test_the_headline_says_what_the_recommendation_rests_on(comparison, standing, line):
    content = comparison.to_json()
    content["recommended"] |= {"variant": "baseline+posthoc", "standing": standing}
    content["recommended"]["choice"]["tied"] = ["baseline+posthoc", "ins", "ins+posthoc", "logit_adjusted", "lds"]
    page = Page(render(Comparison.model_validate(content)))
    hero = " ".join(page.section("recommendation")["text"].split())
    assert line in hero
    assert "What to ship" in hero if standing == "recommended" else "What there is to try" in hero
    rivals = "In that metric alone it can’t be told apart from ins, ins+posthoc, logit_adjusted and 1 more on the"
    assert f"{rivals} validation faces" in hero
    assert "The folder recommended/ of this run: the network of" in hero
    assert "Of 2 seeds it is the one with the median ethnicity macro F1 on the validation faces, 0.700." in hero
    assert (standing in page.find("table", id="results-table")[0]["text"]) is True


def test_a_failed_training_reads_that_nothing_was_learned(comparison):
    content = comparison.to_json()
    content["recommended"] |= {"variant": None, "standing": "nothing learned", "kind": None, "model": None}
    made = Comparison.model_validate(content)
    assert "Nothing was learned" in Page(render(made)).section("recommendation")["text"]
    assert summarise(made).startswith("# Nothing was learned\n")


def test_worst_group_of_each_variant_is_marked(page, comparison):
    table = page.find("table", data_groups="ethnicity_recall")[0]
    marked = [cell["text"] for cell in page.find("td", within=table) if "worst" in cell["attrs"]["class"].split()]
    worst = [decimal(row.groups["ethnicity_recall"].worst.value, 2) for row in comparison.rows.values()]
    assert all(value in text for value, text in zip(worst, marked, strict=True))


def test_data_shows_each_step_reason_and_correlation(page):
    text = page.section("data")["text"]
    for shown in ("max age", "older than 80", "above the age limit", "0.85", "–"):
        assert shown in text


def test_contents_lead_to_every_section_in_order(page):
    links = [link["attrs"]["href"][1:] for link in page.find("a", within=page.find("nav")[0])]
    assert links == [section["attrs"]["id"] for section in page.find("section")]
    assert links[:2] == ["recommendation", "results"]
    assert links[-1] == "reading"


def test_identifiers_are_unique_and_every_reference_has_its_target(page, html):
    ids = [element["attrs"]["id"] for element in page.elements if "id" in element["attrs"]]
    assert len(ids) == len(set(ids))
    referred = set(re.findall(r'(?:href="#|url\(#)([^")]+)', html))
    assert referred <= set(ids)


def test_the_file_needs_no_network_and_shows_no_photograph(page, html):
    # Names and classes can't make the page run or load anything: the policy allows one sheet and one script.
    [policy] = [meta["attrs"]["content"] for meta in page.find("meta", http_equiv="Content-Security-Policy")]
    assert policy.startswith("default-src 'none'; img-src data:; style-src 'sha256-")
    for tag in ("style", "script"):
        [element] = page.find(tag)
        digest = base64.b64encode(hashlib.sha256(element["text"].encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy
    assert not [element for element in page.elements if {"style", "onclick", "onload"} & set(element["attrs"])]
    for attribute in ("src", "href", "xlink:href", "srcset", "action"):
        assert all(element["attrs"].get(attribute, "#").startswith("#") for element in page.elements)
    assert not re.search(r"url\((?!#)|@import|data:image", html)
    assert not {element["tag"] for element in page.elements} & {"link", "img", "image", "iframe"}
    assert len(html.encode()) < 3_000_000


def test_charts_have_the_colours_of_the_theme_alone(html):
    drawings = re.findall(r"<svg.*?</svg>", html, re.DOTALL)
    assert not [colour for drawing in drawings for colour in re.findall(r"(?:fill|stroke): #\w+", drawing)]


def test_what_is_written_is_the_same_for_the_same_comparison(comparison, html, tmp_path):
    comparison.write(tmp_path / "comparison.json")
    read = Comparison.read(tmp_path / "comparison.json")
    write_report(read, tmp_path / "report.html", tmp_path / "report.md")
    assert (tmp_path / "report.html").read_text(encoding="utf-8") == html
    assert (tmp_path / "report.md").read_text(encoding="utf-8") == summarise(comparison)
    assert len(list(tmp_path.iterdir())) == 3


def test_a_hostile_name_stays_text():
    hostile = make_comparison({"baseline": 0.6, HOSTILE: 0.7}, seeds=[1], titles={HOSTILE: HOSTILE})
    page, markdown = Page(render(hostile)), summarise(hostile)
    assert len(page.find("script")) == 1
    assert any(row["attrs"].get("data-variant") == HOSTILE for row in page.find("tr"))
    assert "<script" not in markdown
    row = next(line for line in markdown.splitlines() if "alert" in line and line.startswith("|"))
    assert len(re.findall(r"(?<!\\)\|", row)) == len(MAIN) + 4


def test_one_variant_with_one_seed_gives_a_whole_report():
    alone = make_comparison({"baseline": 0.6}, seeds=[1], posthoc=False)
    page = Page(render(alone))
    assert "Keep the baseline model" in " ".join(page.section("recommendation")["text"].split())
    assert not page.find("section", id="differences")
    assert "sd " not in page.find("table", id="results-table")[0]["text"]
    assert "baseline (kept)" in summarise(alone)


def test_without_results_of_the_reference_and_a_recommendation_the_rest_is_shown():
    content = make_comparison({"ins": 0.6, "ldam": 0.7}, missing=[("baseline", 1)]).model_dump(mode="json")
    content["recommended"] |= {
        "variant": None,
        "standing": "no reference",
        "kind": None,
        "model": None,
        "because": "The reference is missing",
    }
    comparison = Comparison.model_validate(content)
    page = Page(render(comparison))
    assert "No recommendation" in page.section("recommendation")["text"]
    assert page.find("tr", data_variant="baseline", data_kind="absent")
    assert "ldam (lowest age MAE)" in page.section("age")["text"]
    assert "# No recommendation\n" in summarise(comparison)


def test_numbers_that_are_null_become_dashes(comparison):
    content = comparison.model_dump(mode="json")
    row = content["variants"]["ins"]
    unknown = dict.fromkeys(("value", "low", "high"))
    for metric in ("age_mae", "ethnicity_macro_f1"):
        row[metric] = unknown | {"std": None, "by_seed": {}}
        row["natural"][metric] = unknown
    for metric in ("ethnicity_f1", "age_mae_by_bin"):
        row["intervals"][metric] = dict.fromkeys(row["intervals"][metric], unknown)
    row["age_error_boxes"]["1-10"] = None
    for test in content["paired"]:
        if test["a"] == "ins":
            test.update(difference=None, low=None, high=None)
    page = Page(render(Comparison.model_validate(content)))
    shown = page.find("tr", data_variant="ins")[0]
    assert [cell["text"] for cell in page.find("span", within=shown) if cell["text"] == "–"]
    assert not re.search(r"\b(nan|None|null)\b", page.find("main")[0]["text"].replace("none", ""))


def test_intervals_are_told_with_the_confidence_they_have():
    comparison = make_comparison(confidence=0.9)
    page = Page(render(comparison))
    assert "90\u202f% interval" in page.section("recommendation")["text"]
    precision = page.find("table", within=page.section("reading"))[0]["text"]
    assert "90\u202f% interval" in precision
    assert "± 0.03" in precision  # 1.645 · sqrt(0.25 / 640)
    assert "90\u202f% intervals" in summarise(comparison)
    assert "95" not in page.section("reading")["text"]


def test_every_tested_metric_is_explained(page):
    words = {word["text"] for word in page.find("dt", within=page.section("reading"))}
    assert {metric.title for metric in TESTED.values()} | {"Constant predictor"} <= words


def test_the_markdown_has_a_row_per_variant(comparison):
    lines = [line for line in summarise(comparison).splitlines() if line.startswith("| ")]
    for name, row in comparison.rows.items():
        value = decimal(row.scalar(MAIN["age_mae"]).value, 2)
        assert any(line.startswith(f"| {name} ") and value in line for line in lines)
    assert any(line.startswith("| lds | no results |") for line in lines)
    assert any(line.startswith("| constant predictor") for line in lines)


@pytest.mark.parametrize(("value", "text"), [(-0.5, "−0.500"), (-0.0001, "0.000"), (None, "–")])
def test_decimals_have_a_true_minus_and_a_dash_for_nothing(value, text):
    assert decimal(value) == text


@pytest.mark.parametrize(("value", "text"), [(0.00001, "< 0.0001"), (0.0123, "0.012"), (1.0, "1.00"), (None, "–")])
def test_p_values_are_as_exact_as_can_be_read(value, text):
    assert p_value(value) == text


def test_the_head_says_which_run_it_is_and_that_it_is_synthetic():
    content = make_comparison(
        run={"name": "spring", "date": "2030-03-01", "source": "faces.zip", "preset": "poc", "command": "evenface run"}
    ).to_json()
    assert "SYNTHETIC" not in Page(render(Comparison.model_validate(content))).find("header")[0]["text"]
    content["dataset"]["preprocess"]["synthetic"] = True
    content["runs"][0]["model"] = "gs://bucket/model"
    content["provenance"]["training"] = {"model": {"backbone_weights": "/home/ann/weights.h5"}}
    made = Comparison.model_validate(content)
    page = Page(render(made))
    head = page.find("header")[0]["text"]
    assert all(told in head for told in ("SYNTHETIC", "spring", "2030-03-01", "faces.zip", "poc"))
    told = page.section("provenance")["text"]
    assert "gs://bucket/model" in told
    assert "models/ins/2/" in told
    assert "weights.h5" in told
    assert "/home/ann" not in told
    assert "**SYNTHETIC** · spring · 2030-03-01 · faces.zip · poc" in summarise(made)


def test_the_answer_says_how_sure_it_is_what_it_costs_and_what_users_would_see(page, comparison):
    hero = " ".join(page.section("recommendation")["text"].split())
    [test] = [test for test in comparison.paired if (test.a, test.metric) == ("ins+posthoc", "ethnicity_macro_f1")]
    assert hero.startswith("Ship the ins model, adjusted after training")
    assert f"Its ethnicity macro F1 is {test.difference:.3f} higher than that of baseline" in hero
    assert "on 640 test faces and 2 seeds" in hero
    assert "Recall gained: White +0.200 (+0.170 to +0.230), to 0.80; Black" in hero
    assert "The age is furthest off at 71-80: by 15.4 years on average" in hero
    assert "Served worst: Female, Indian" in hero
    assert "the ethnicity is right for 79 of 100 faces (baseline: 59)" in hero
    assert "Among people as in the data: the age is 9.4 years off on average (baseline: 13.0)" in hero


def test_every_cell_has_its_number_and_its_faces(page, comparison):
    maps = page.find("table", data_map="age_mae")
    first = page.find("td", within=maps[0])
    assert first[0]["text"] == "–10"
    assert first[1]["text"] == "0.010"
    assert "extrapolated" in first[1]["attrs"]["class"]
    assert len(first) * 4 == 2 * LABELS.cell_count


def test_faces_are_shown_only_where_the_comparison_has_them(page):
    assert not page.find("img")
    assert "compare.report.include_faces" in page.section("galleries")["text"]
    shown = Page(render(make_comparison(pictures={"first": PICTURE})))
    pictures = shown.find("img", within=shown.section("galleries"))
    assert [picture["attrs"]["alt"] for picture in pictures] == ["Test face: 30 years, Female, Asian"] * 6
    text = " ".join(shown.section("galleries")["text"].split())
    assert "said: 33 years, Male, White" in text
    assert "baseline: 33 years, Male, Indian" in text


def test_many_runs_stay_readable():
    many = make_comparison({"baseline": 0.5, **{f"cure_{place}": 0.5 + place / 100 for place in range(15)}})
    html = render(many)
    page = Page(html)
    assert len([row for row in page.find("tr", within=page.find("table", id="results-table")[0])
                if row["attrs"].get("data-kind") in {"trained", "posthoc"}]) == 32  # fmt: skip
    # A chart with a line per row has the leading ones; whole sets of charts are folded.
    assert "14 of 32 rows" in page.section("classes")["text"]
    described = page.find("desc", id="f1-0-description")[0]["text"]
    assert described.count(";") == 13
    assert "baseline" in described
    folded = [card for card in page.find("article", within=page.section("confusions"))
              if any(outer["tag"] == "details" for outer in card["within"])]  # fmt: skip
    assert len(folded) == 14
    assert len(html.encode()) < 2_000_000


def test_ages_in_months_up_to_2000_are_months_wherever_they_are_told(monkeypatch):
    labels = replace(LABELS, max_age=2000, age_bin_width=250, age_unit="months")
    monkeypatch.setattr(comparisons, "LABELS", labels)
    made = make_comparison(pictures={"first": PICTURE})
    # The settings, which are shown as they are, have a scale of the age head that is called so.
    html = re.sub("<pre.*?</pre>", "", render(made), flags=re.DOTALL)
    for told in (html, summarise(made)):
        assert not re.search(r"\byears?\b", told)
    page = Page(html)
    for section in (
        "recommendation",
        "results",
        "groups",
        "age",
        "frontier",
        "cells",
        "galleries",
        "natural",
        "reading",
    ):
        assert "months" in page.section(section)["text"]
    charts = ("age-bins", "age-bias", "age-errors", "forest-0", "data-age", "frontier")
    drawings = {key: drawing for drawing in page.find("svg") for key in charts
                if drawing["attrs"]["aria-labelledby"].startswith(f"{key}-title")}  # fmt: skip
    assert [key for key in charts if "months" not in drawings[key]["text"]] == []
    assert "1751-2000" in drawings["age-bias"]["text"]


def test_two_runs_stand_side_by_side_paired_or_said_to_be_unpaired(comparison):
    names = ("spring", HOSTILE)
    changes = [
        RowChange(HOSTILE, "ethnicity_macro_f1", 0.5, 0.6, 0.1, 0.05, 0.15),
        RowChange(HOSTILE, "age_mae", 9.0, 9.5, 0.5, 0.2, 0.8),
        RowChange("ins+posthoc", "ethnicity_macro_f1", 0.8, 0.7, -0.1, -0.2, -0.05),
        RowChange("lds", "age_mae", 9.0, None),
    ]
    sides = [FinishedRun(name, comparison, Path()) for name in names]
    page = Page(render_runs(RunPair(*sides, paired=True, changes=changes, notes=["lds is in one run alone."])))
    hero = page.section("recommendation")["text"]
    assert "In ethnicity macro F1, what the second run leads to (ins+posthoc) is worse than" in hero
    assert "−0.100 (−0.200 to −0.050)" in hero
    assert "lds is in one run alone." in hero
    lines = {row["attrs"]["data-row"]: row["text"] for row in page.find("tr") if "data-row" in row["attrs"]}
    assert list(lines) == [HOSTILE, "ins+posthoc", "lds"]
    for text in ("+0.100▲", "+0.050 to +0.150", "0.500 → 0.600", "+0.50▼"):
        assert text in lines[HOSTILE].replace("better", "").replace("worse", "")
    drawn = [title["text"] for title in page.find("title", within=page.section("differences"))]
    assert drawn == [f"{MAIN[name].title}: difference from the first run"
                     for name in ("ethnicity_macro_f1", "age_mae", "gender_accuracy")]  # fmt: skip
    rows = [row["attrs"] for row in page.find("tr", within=page.find("table", id="results-table")[0])]
    shown = {(row["data-run"], row["data-variant"]) for row in rows if "data-run" in row}
    assert shown == {(name, key) for name in names for key in comparison.rows}
    assert page.section("runs")["text"].count("Ship the ins model, adjusted after training") == 2
    assert len(page.find("script")) == 1
    alone = Page(render_runs(RunPair(*sides, paired=False, changes=changes[-1:], notes=["Other test faces."])))
    assert "Unpaired." in alone.section("recommendation")["text"]
    assert "Other test faces." in alone.section("recommendation")["text"]
    assert not alone.find("section", id="differences")


def test_what_is_recommended_is_what_is_looked_at_closely(comparison):
    page = Page(render(comparison))
    assert comparison.recommended.variant == "ins+posthoc"
    assert {table["attrs"]["data-variant"] for table in page.find("table", data_map="ethnicity_accuracy")} == {
        "baseline",
        "ins+posthoc",
    }
    for output in ("gender", "ethnicity"):
        [described] = page.find("desc", id=f"calibration-{output}-description")
        assert "post-hoc adjusted error" in described["text"]


def test_names_of_points_never_lie_on_each_other():
    def overlaps(axes):
        axes.set(xlim=(0, 1), ylim=(0, 1))
        points = [Point(f"variant_{place}", 0.5, 0.5 + place / 1000) for place in range(20)]
        label_points(axes, [*points, Point("reference", 0.5, 0.5, must_be_named=True)])
        boxes = [text.get_window_extent() for text in axes.texts]
        counts.extend((len(boxes), sum(a.overlaps(b) for a, b in combinations(boxes, 2))))
        names.extend(text.get_text() for text in axes.texts)

    counts, names = [], []
    draw(overlaps, "key", "title", ["fact"], 440, 330)
    assert names[0] == "reference"
    assert counts[0] > 1
    assert counts[1] == 0
