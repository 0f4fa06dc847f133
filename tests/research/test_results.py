"""Results of every kind of analysis as pages show them: the numbers are those of the result."""

from __future__ import annotations

import pytest
from django.test import RequestFactory

from corridor.pillars.research.charts import CurveArm, Effect, forest_plot, love_plot, share_plot, survival_plot
from corridor.pillars.research.rules.analyses import KINDS
from corridor.pillars.research.rules.protocol import AnalysisItem
from corridor.pillars.research.texts import KINDS as NAMES
from corridor.pillars.research.views.results import show_result
from tests.research.studies import breast_protocol

pytestmark = pytest.mark.django_db


def test_every_kind_of_analysis_has_a_name_on_pages() -> None:
    assert set(KINDS) <= set(NAMES)


def test_a_kind_without_a_page_of_its_own_shows_every_number_by_its_name() -> None:
    _document, protocol = breast_protocol()
    item = AnalysisItem("other", "other", {"en": "Other"}, (), {})

    shown = show_result(item, protocol, {"a": {"b": [1, 2]}}, request=RequestFactory().get("/"))

    assert [list(row) for row in shown.tables[0].rows] == [["a.b.1", 1], ["a.b.2", 2]]


def test_a_meta_analysis_shows_each_site_and_each_mean() -> None:
    _document, protocol = breast_protocol()
    item = AnalysisItem("meta", "meta", {"en": "Meta"}, (), {})
    pooled = {"hr": 0.75, "hr_low": 0.6, "hr_high": None}
    values = {
        "term": "hormon",
        "sites": {"nl": {"coef": 0.0, "se": 0.1}},
        "pooled": {"fixed": pooled, "reml-hartung-knapp": pooled},
        "n": {"nl": 100},
        "events": {"nl": 20},
    }

    shown = show_result(item, protocol, values, request=RequestFactory().get("/"))

    assert [row[1] for row in shown.tables[0].rows] == ["1.000", "0.750", "0.750"]
    assert shown.tables[0].rows[0][2:] == ["0.822", "1.217"]
    assert "0.60 to ∞" in shown.answer


def test_a_weighted_model_shows_differences_before_and_after_weighting() -> None:
    _document, protocol = breast_protocol()
    item = AnalysisItem("weighted", "weighting", {"en": "Weighted"}, (), {})
    values = {
        "terms": ["hormon"], "hr": [0.8], "hr_low": [0.7], "hr_high": [0.9], "p": [0.01], "n": {"nl": 9},
        "balance": {"terms": ["age", "nodes"], "before": [0.4, None], "after": [-0.02, None]},
    }  # fmt: skip

    shown = show_result(item, protocol, values, request=RequestFactory().get("/"))

    assert shown.answer.startswith("Hormonal treatment: hazard ratio 0.80")
    assert next(list(row) for row in shown.tables[-1].rows)[1:] == ["0.400", "\u22120.020"]
    assert len(shown.charts) == 2


def test_a_forest_plot_holds_every_interval_and_no_effect() -> None:
    spec = forest_plot([Effect(label="a", value=0.5, low=0.4, high=0.6)], axis="Hazard ratio")

    least, most = spec["layer"][1]["encoding"]["x"]["scale"]["domain"]
    assert least < 0.4
    assert most > 1.0


def test_a_love_plot_shows_sizes_without_sign() -> None:
    spec = love_plot([("a", -0.3)], axis="difference")

    assert [row["value"] for layer in spec["layer"] for row in layer["data"]["values"] if "value" in row] == [0.3]


def test_numbers_at_risk_are_those_just_before_the_day() -> None:
    arm = CurveArm(label="a", times=(30, 60), survival=(0.9, 0.5), at_risk=(100, 80))

    spec = survival_plot([arm], time="days", survival="free")

    words = [row["word"] for layer in spec["layer"] for row in layer["data"]["values"] if "word" in row]
    assert words == ["a", "100", "100", "100", "100", "80", "80", "80"]


def test_lines_of_shares_bear_their_names_where_there_are_several() -> None:
    lower, upper = ("no", (0, 10, 20), (0.0, 0.4, 0.6)), ("yes", (0, 10, 20), (0.0, 0.5, 0.9))

    one = share_plot([lower], value="fmol", share="share")
    two = share_plot([lower, upper], value="fmol", share="share", is_step=True)

    assert [layer["data"]["values"] for layer in one["layer"]] == [
        [{"t": 0.0, "s": 0.0}, {"t": 10.0, "s": 0.4}, {"t": 20.0, "s": 0.6}]
    ]
    named = [layer for layer in two["layer"] if layer["mark"]["type"] == "text"]
    assert [(layer["data"]["values"][0]["word"], layer["mark"]["dy"]) for layer in named] == [("no", 16), ("yes", -18)]
    assert {layer["mark"].get("interpolate") for layer in two["layer"]} == {"step-after", None}
