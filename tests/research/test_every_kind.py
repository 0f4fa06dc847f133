"""Every kind of analysis from the protocol to the result, beside R; and the same over two nodes."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from django.test import RequestFactory

from corridor.base.textfiles import read_table
from corridor.cli.study import study as command
from corridor.pillars.research.rules.analyses import KINDS, REFUSED_KINDS, Precision
from corridor.pillars.research.tables import SiteMapping, harmonise
from corridor.pillars.research.views.methods import methods_text
from corridor.pillars.research.views.results import ShownResult, show_result
from tests.exchange.nodes import Corridor
from tests.golden.breast_cancer import golden
from tests.research.every_kind import GROUPS, PLAN, protocol_of, toml_of, write_cohorts
from tests.research.studies import SITES, StudyCorridor

MODEL, TABLE = 1e-8, 1e-10


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """Return what `corridor study run` gives for each entry of the plan; each group is a study of its own."""
    folder = tmp_path_factory.mktemp("cohorts")
    files = write_cohorts(folder)
    found = {}
    for number, group in enumerate(GROUPS):
        (folder / "study.toml").write_text(toml_of(group), encoding="utf-8")
        out = folder / f"{number}.json"
        sites = [word for site, path in files.items() for word in ("--site", f"{site}={path}")]
        told = CliRunner().invoke(command, ["run", str(folder / "study.toml"), *sites, "--out", str(out)])
        assert told.exit_code == 0, told.output
        for each in json.loads(out.read_text(encoding="utf-8"))["analyses"]:
            found[each["id"]] = each
    return found


@cache
def coarse() -> dict[str, Any]:
    """Return R's results on the coarsened rows."""
    file = Path(__file__).parents[1] / "golden" / "research" / "coarse.json.gz"
    found: dict[str, Any] = json.loads(gzip.decompress(file.read_bytes()))
    return found


def test_the_plan_has_every_kind_and_no_group_leaves_one_out() -> None:
    assert {options["kind"] for options in PLAN.values()} == set(KINDS)
    assert sorted(name for group in GROUPS for name in group) == sorted(PLAN)


def test_every_analysis_is_done_and_states_its_class(results: dict[str, dict[str, Any]]) -> None:
    coarsened = {"quantiles", "cox-unstratified", "concordance", "kaplan-meier"}
    for name, options in PLAN.items():
        assert results[name]["state"] == "done", (name, results[name]["reasons"])
        expected = Precision.COARSENED if options["kind"] in coarsened else Precision.EXACT
        assert results[name]["precision"] == expected, name


def close(found: Any, expected: Any, *, to: float) -> None:
    np.testing.assert_allclose(found, expected, rtol=to, atol=1e-14)


def test_exact_analyses_are_those_of_r(results: dict[str, dict[str, Any]]) -> None:
    values, known = {name: each["values"] for name, each in results.items()}, golden()
    cox = known["cox"]["stratified_by_site_efron"]
    close(values["primary"]["coef"], cox["coef"], to=MODEL)
    close(values["primary"]["se"], cox["se"], to=MODEL)
    close(
        values["primary"]["concordance"]["value"],
        known["concordance"]["stratified_by_site_efron"]["concordance"],
        to=MODEL,
    )
    close(values["logrank"]["test"]["statistic"], known["logrank"]["stratified_by_site"]["chisq"], to=MODEL)
    for name, block in (
        ("treated", "logistic_ps_pooled_site_indicator"),
        ("rates", "poisson_rate"),
        ("age", "gaussian"),
    ):
        close(values[name]["coef"], known[block]["coef"], to=MODEL)
        close(values[name]["se"], known[block]["se"], to=MODEL)
    weighted = known["iptw"]["ate"]["cox_stratified_by_site_efron"]
    close(values["weighted"]["coef"][0], weighted["coef"], to=MODEL)
    close(values["weighted"]["se"][0], weighted["se"], to=MODEL)
    meta = known["meta"]["adjusted_efron"]
    close(values["by-site"]["pooled"]["fixed"]["coef"], meta["fixed"]["est"], to=MODEL)
    close(values["by-site"]["pooled"]["dersimonian-laird"]["se"], meta["random_dl"]["se"], to=MODEL)


def test_counts_and_means_are_those_of_pooled_rows(results: dict[str, dict[str, Any]]) -> None:
    known, counts, moments = golden()["baseline"]["pooled"], results["counts"]["values"], results["moments"]["values"]
    assert counts["n"]["all"] == known["n"]
    for name in ("hormon", "meno"):
        told = counts["variables"][name]
        assert told["all"][: len(told["codes"]) - 1] == known["categorical"][name]["counts"]
    arms = moments["arms"].values()
    for place, name in enumerate(("age_years", "nodes")):
        total = sum(arm["n"] * arm["mean"][place] for arm in arms)
        assert total == pytest.approx(known["numeric"][name]["sum"], rel=MODEL)


def test_the_test_of_peto_and_peto_stratified_by_site_is_that_of_r(results: dict[str, dict[str, Any]]) -> None:
    found, expected = results["peto"]["values"], coarse()["peto_stratified"]
    close(found["observed"], expected["observed"], to=TABLE)
    close(found["expected"], expected["expected"], to=TABLE)
    close(found["test"]["statistic"], expected["chisq"], to=TABLE)


@pytest.mark.parametrize(
    ("name", "block"), [("one-risk-set", "one_risk_set"), ("one-risk-set-breslow", "one_risk_set_breslow")]
)
def test_one_risk_set_over_both_sites_is_that_of_r(results: dict[str, dict[str, Any]], name: str, block: str) -> None:
    found, expected = results[name]["values"], coarse()[block]
    assert found["edges"] == expected["edges"]
    close(found["coef"], expected["coef"], to=MODEL)
    close(found["se"], expected["se"], to=MODEL)
    close([found["loglik_null"], found["loglik"]], expected["loglik"], to=MODEL)


def test_concordance_of_all_pairs_is_that_of_r(results: dict[str, dict[str, Any]]) -> None:
    found, expected = results["all-pairs"]["values"], coarse()["all_pairs"]
    assert found["edges"] == expected["edges"]
    close(found["limits"], expected["limits"], to=MODEL)
    close(found["concordance"]["value"], expected["value"], to=MODEL)
    close(found["concordance"]["se"], expected["se"], to=MODEL)


@pytest.mark.parametrize(
    ("name", "arm", "block"),
    [("ages", "all", "ages"), ("receptors", "0", "receptors_untreated"), ("receptors", "1", "receptors_treated")],
)
def test_quantiles_of_numbers_are_those_of_r(
    results: dict[str, dict[str, Any]], name: str, arm: str, block: str
) -> None:
    found, expected = results[name]["values"], coarse()[block]
    described = found["arms"][arm]
    assert found["edges"] == expected["edges"]
    assert described["counts"] == expected["counts"]
    for key in ("value", "low", "high"):
        close([each[key] for each in described["quantiles"]], expected[key], to=TABLE)
    for each, exact in zip(described["quantiles"], expected["exact"], strict=True):
        assert each["bin"][0] < exact <= each["bin"][1]


def test_curves_medians_means_and_their_test_are_those_of_r(results: dict[str, dict[str, Any]]) -> None:
    values, expected = results["curves"]["values"], coarse()["curves"]
    assert values["edges"] == expected["edges"]
    curves = {
        "untreated": values["arms"]["0"],
        "treated": values["arms"]["1"],
        "treated_DE": values["by_site"]["de"]["arms"]["1"],
    }
    for name, found in curves.items():
        told = expected[name]
        assert found["at_risk"] == told["n_risk"]
        for ours, theirs in (("survival", "surv"), ("se", "se"), ("low", "low"), ("high", "high")):
            close(found[ours], told[theirs], to=TABLE)
        median = found["quantiles"][1]
        assert [median["value"], median["low"], median["high"]] == told["median"]
        close(found["restricted_mean"]["value"], told["rmst"], to=TABLE)
        close(found["restricted_mean"]["se"], told["rmst_se"], to=TABLE)
    close(values["logrank"]["observed"], expected["peto"]["observed"], to=TABLE)
    close(values["logrank"]["test"]["statistic"], expected["peto"]["chisq"], to=TABLE)


def test_incidence_beside_a_competing_event_is_that_of_r(results: dict[str, dict[str, Any]]) -> None:
    values, expected = results["competing"]["values"], coarse()["competing"]
    assert values["edges"] == expected["edges"]
    incidence = values["arms"]["all"]["incidence"]
    for ours, theirs in (("event", "one"), ("competing", "two")):
        close(incidence[ours]["incidence"], expected[theirs], to=TABLE)
        close(incidence[ours]["se"], expected[f"{theirs}_se"], to=TABLE)


def test_a_curve_with_delayed_entry_is_that_of_r(results: dict[str, dict[str, Any]]) -> None:
    values, expected = results["entered"]["values"], coarse()["entered"]
    assert values["edges"] == expected["edges"]
    found = values["arms"]["all"]
    assert found["at_risk"] == expected["curve"]["n_risk"]
    assert max(found["at_risk"]) < sum(sum(site.values()) for site in golden_sizes())
    for ours, theirs in (("survival", "surv"), ("se", "se"), ("low", "low"), ("high", "high")):
        close(found[ours], expected["curve"][theirs], to=TABLE)


def golden_sizes() -> list[dict[str, int]]:
    return [{"n": golden()["baseline"][site]["n"]} for site in ("NL", "DE")]


def shown(name: str, results: dict[str, dict[str, Any]]) -> ShownResult:
    """Return what the page says of a result."""
    item = protocol_of((name,))[1].analysis(name)
    assert item is not None
    return show_result(item, protocol_of((name,))[1], results[name]["values"], request=RequestFactory().get("/"))


@pytest.mark.django_db
@pytest.mark.parametrize("name", PLAN)
def test_every_result_has_a_page_of_its_own(name: str, results: dict[str, dict[str, Any]]) -> None:
    page = shown(name, results)
    assert page.answer
    assert "Every number by its name" not in {str(table.caption) for table in page.tables}


@pytest.mark.django_db
def test_pages_of_coarsened_results_say_their_numbers(results: dict[str, dict[str, Any]]) -> None:
    share = 100 * results["all-pairs"]["values"]["concordance"]["value"]
    assert f"{share:.1f} % are in the order of the model" in shown("all-pairs", results).answer
    ages = [list(row) for row in shown("ages", results).tables[0].rows]
    assert [row[2] for row in ages] == [45.45, 54.33, 63.4]
    assert shown("ages", results).answer == "Median 54.33, 95% interval from 53.40 to 55.28."
    assert shown("receptors", results).answer.endswith("34.58 (Hormonal treatment: yes).")
    assert ages[1][-1] == "above 54, up to 55"
    assert len(shown("curves", results).charts) == 3
    assert re.match(r"Peto-Peto test: p \W*< 0.0001\W*$", shown("curves", results).answer)
    incidence = shown("competing", results).charts[1].table
    assert "Cumulative incidence" in str(incidence.caption)
    last = results["competing"]["values"]["arms"]["all"]["incidence"]
    assert list(incidence.rows)[-1][2:] == [last[kind]["incidence"][-1] for kind in ("event", "competing")]


def test_methods_say_what_became_of_missing_values_and_what_is_coarsened() -> None:
    told = " ".join(methods_text(protocol_of(("ages", "primary"))[1]))
    assert "Rows that lack a value which an analysis needs were left out of it." in told
    assert re.search(r"enough persons leave in each: \W?ages\W?\. The other", told)
    assert re.search(r"A competing event, \W?The event by the other cause\W?, makes it impossible", told)
    assert re.search(r"observation began: \W?Days to the begin of observation \(days\)", told)


@pytest.mark.parametrize("kind", sorted(REFUSED_KINDS))
def test_the_command_refuses_the_rest_with_the_reason_and_what_to_ask_instead(kind: str, tmp_path: Path) -> None:
    text = toml_of(("counts",)).replace('kind = "counts"', f'kind = "{kind}"')
    (tmp_path / "study.toml").write_text(text, encoding="utf-8")

    told = CliRunner().invoke(command, ["run", str(tmp_path / "study.toml")])

    assert told.exit_code != 0
    assert REFUSED_KINDS[kind] in str(told.exception)
    assert "Ask for" in REFUSED_KINDS[kind]


@pytest.mark.parametrize("make_corridor", ["sqlite"], indirect=True)
@pytest.mark.parametrize("group", GROUPS, ids=[group[0] for group in GROUPS])
def test_two_nodes_come_to_the_numbers_of_the_command(
    group: tuple[str, ...],
    results: dict[str, dict[str, Any]],
    make_corridor: Callable[..., Corridor],
    tmp_path: Path,
) -> None:
    study = StudyCorridor(make_corridor(*SITES.values()), *protocol_of(group))
    study.ready(write_cohorts(tmp_path))
    runs = {name: study.request(name) for name in group}
    study.settle()
    for name, run in runs.items():
        at_nl, at_de = study.run(run, "nl"), study.run(run, "de")
        assert (at_nl.state, at_de.state) == ("done", "done"), (name, at_nl.reasons, at_de.reasons)
        assert at_nl.result == at_de.result
        assert at_nl.result["values"] == results[name]["values"], name


@pytest.mark.parametrize(("missing", "state"), [("complete-cases", "done"), ("refuse", "failed")])
def test_rows_that_lack_a_value_are_left_out_or_refused_as_the_protocol_says(
    missing: str, state: str, tmp_path: Path
) -> None:
    files = write_cohorts(tmp_path, without_age=30)
    (tmp_path / "study.toml").write_text(toml_of(("age", "logrank"), missing=missing), encoding="utf-8")
    sites = [word for site, path in files.items() for word in ("--site", f"{site}={path}")]

    def result_of(analysis: str) -> Any:
        arguments = ["run", str(tmp_path / "study.toml"), *sites, "--analysis", analysis]
        told = CliRunner().invoke(command, [*arguments, "--out", str(tmp_path / "result.json")])
        assert told.exit_code == 0, told.output
        return json.loads((tmp_path / "result.json").read_text(encoding="utf-8"))["analyses"][0]

    with_age, without_age = result_of("age"), result_of("logrank")
    assert (with_age["state"], without_age["state"]) == (state, "done")
    if state == "done":
        assert with_age["values"]["n"] == {"de": 686 - 30, "nl": 1546 - 30}
    else:
        assert "the protocol refuses missing values" in with_age["reasons"][0]
    assert sum(without_age["values"]["n"]["de"]) == 686
    harmonised = harmonise(read_table(files["de"]), protocol=protocol_of(("age",))[1], mapping=SiteMapping())
    assert int(np.isnan(harmonised.table.columns["age_years"]).sum()) == 30
