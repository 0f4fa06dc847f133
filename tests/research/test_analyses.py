"""Each kind of analysis over the two cohorts, disclosure control on, gives the numbers of pooled rows."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from corridor import science
from corridor.base.textfiles import read_table
from corridor.pillars.research.rules.analyses import Request, plan_of
from corridor.pillars.research.rules.analyses.cox import pairs_of_rows
from corridor.pillars.research.rules.disclosure import REHEARSAL, Policy
from corridor.pillars.research.rules.engine import AnswerRefused, answer_request
from corridor.pillars.research.rules.ledger import Ledger, MemoryLedger
from corridor.pillars.research.rules.protocol import Protocol
from corridor.pillars.research.rules.protocol.reading import MalformedProtocol
from corridor.pillars.research.rules.rehearsal import run_on_tables
from corridor.pillars.research.rules.rows import SiteTable
from corridor.pillars.research.tables import SiteMapping, harmonise
from tests.golden.breast_cancer import cohorts, golden
from tests.research.studies import GOLDEN, SITES, breast_protocol

MODEL = 1e-8
ENDPOINT = {"endpoint": "rfs"}
TERMS = ["hormon", "age", "meno", "size_20_50", "size_gt50", "grade3", "nodes", "log1p_pgr", "log1p_er"]


@cache
def site_tables() -> dict[str, SiteTable]:
    """Return the rows of both cohorts, in the variables of the study."""
    _, protocol = breast_protocol()
    return {
        site: harmonise(read_table(GOLDEN / f"site_{site}.csv"), protocol=protocol, mapping=SiteMapping()).table
        for site in SITES
    }


def protocol_with(kind: str, change: Callable[[dict[str, Any]], None] | None = None, **options: Any) -> Protocol:
    """Return the study with one analysis, `x`, of a kind."""

    def only(members: dict[str, Any]) -> None:
        members["analyses"] = [{"id": "x", "kind": kind, "title": {"en": "x"}, **options}]
        if change is not None:
            change(members)

    return breast_protocol(only)[1]


def run(protocol: Protocol, *, tables: dict[str, SiteTable] | None = None, **found: Any) -> dict[str, Any]:
    """Return what the analysis `x` gives under the protocol's disclosure rule, or under `policy`."""
    rows = tables or site_tables()
    ledgers: dict[str, Ledger] = {site: MemoryLedger(table, site) for site, table in rows.items()}
    policy = found.get("policy") or Policy.of(protocol.disclosure)
    return run_on_tables(protocol, "x", tables=rows, policy=policy, ledgers=ledgers)


def done(protocol: Protocol, **found: Any) -> dict[str, Any]:
    """Return the result of the analysis `x`, which must have one."""
    result = run(protocol, **found)
    assert result["state"] == "done", result["reasons"]
    return result


def by_site(protocol: Protocol, change: Callable[[str, dict[str, np.ndarray]], None]) -> dict[str, SiteTable]:
    """Return the cohorts after `change` to copies of the columns of each site."""
    changed = {}
    for site, table in site_tables().items():
        columns = {name: values.copy() for name, values in table.columns.items()}
        change(site, columns)
        changed[site] = SiteTable(columns, table.persons)
    return changed


@pytest.mark.parametrize("ties", ["efron", "breslow"])
@pytest.mark.parametrize("transform", ["identity", "log"])
def test_proportional_hazards_over_sites_are_tested_as_in_r(ties, transform):
    options = {"terms": TERMS, "ties": ties, "proportional_hazards": transform}
    expected = golden()["ph_test"][f"stratified_by_site_{ties}"][transform]

    result = done(protocol_with("cox", **ENDPOINT, **options))

    found = result["values"]["proportional_hazards"]
    tests = [*found["terms"], found["together"]]
    np.testing.assert_allclose([test["statistic"] for test in tests], expected["chisq"], rtol=MODEL)
    np.testing.assert_allclose([test["p"] for test in tests], expected["p"], rtol=MODEL)
    assert ("hazards-not-proportional" in result["warnings"]) == (expected["p"][-1] < 0.05)


def test_a_subgroup_is_the_fit_of_its_rows_alone():
    where = [{"variable": "nodes", "above": 3}]
    whole = done(protocol_with("cox", lambda members: members.update(population=where), **ENDPOINT, terms=TERMS))

    part = done(protocol_with("cox", where=where, **ENDPOINT, terms=TERMS))

    assert part["values"] == whole["values"]


def test_logrank_over_sites_is_that_of_r():
    expected = golden()["logrank"]["stratified_by_site"]

    result = done(protocol_with("logrank", **ENDPOINT, by="hormon"))

    found = result["values"]
    assert result["precision"] == "exact"
    np.testing.assert_allclose(found["observed"], expected["observed"], rtol=MODEL)
    np.testing.assert_allclose(found["expected"], expected["expected"], rtol=MODEL)
    assert found["test"]["statistic"] == pytest.approx(expected["chisq"], rel=MODEL)
    assert found["test"]["p"] == pytest.approx(expected["p"], rel=MODEL)
    assert found["test"]["df"] == expected["df"]


def test_an_arm_of_a_stratum_with_few_events_stops_the_logrank_test():
    protocol = protocol_with("logrank", **ENDPOINT, by="hormon", strata="grade")

    def spare_the_treated(site, columns):
        columns["event"][(columns["hormon"] == 1) & (columns["grade"] == 2) & (site == "de")] = 0

    result = run(protocol, tables=by_site(protocol, spare_the_treated))

    assert (result["state"], result["site"]) == ("refused", "de")
    assert "events: 1 (grade=3)" in result["reasons"]


@pytest.mark.parametrize(
    ("kind", "options", "pointer"),
    [
        ("cox", {"terms": TERMS, "proportional_hazards": "rank"}, "/analyses/0/proportional_hazards"),
        ("logrank", {"by": "nodes"}, "/analyses/0/by"),
        ("logrank", {"by": "hormon", "strata": "age_years"}, "/analyses/0/strata"),
    ],
)
def test_an_option_that_no_analysis_has_is_named(kind, options, pointer):
    with pytest.raises(MalformedProtocol) as fault:
        protocol_with(kind, **ENDPOINT, **options)

    assert [each.pointer for each in fault.value.faults] == [pointer]


@pytest.mark.parametrize(
    ("kind", "instead"),
    [
        ("kaplan-meier-daily", "kaplan-meier"),
        ("risk-sets", "cox"),
        ("extremes", "quantiles"),
        ("ranks", "moments"),
        ("rows", "counts"),
    ],
)
def test_what_is_refused_says_what_to_ask_for_instead(kind, instead):
    with pytest.raises(MalformedProtocol) as fault:
        protocol_with(kind)

    assert "refused" in str(fault.value)
    assert instead in str(fault.value)


def coarse(edges: list[float], by: str | None) -> science.IntervalTable:
    """Return, by arm, the table of pooled rows whose times are rounded: events up, the censored until five are."""
    bounds, last = np.array(edges), edges[-1] + 1
    times: dict[str, list[float]] = {}
    events: dict[str, list[int]] = {}
    for part in cohorts().values():
        for arm in (0, 1) if by else (None,):
            inside = part.hormon == arm if by else np.ones(part.times.size, dtype=bool)
            name = "all" if arm is None else str(arm)
            waiting = 0
            for begin, end in pairwise(bounds):
                here = inside & (part.times > begin) & (part.times <= end)
                died = int(here[part.events == 1].sum())
                waiting += int(here.sum()) - died
                times.setdefault(name, []).extend([end] * (died + waiting * (waiting >= 5)))
                events.setdefault(name, []).extend([1] * died + [0] * (waiting * (waiting >= 5)))
                waiting *= waiting < 5
            rest = waiting + int((inside & (part.times > bounds[-1])).sum())
            times[name].extend([last] * rest)
            events[name].extend([0] * rest)
    labels = tuple(times)
    arms = [name for name in labels for _ in times[name]]
    flat_times = [time for name in labels for time in times[name]]
    flat_events = [event for name in labels for event in events[name]]
    return science.interval_table(flat_times, flat_events, edges=[*edges, last], groups=arms, labels=labels)


@pytest.mark.parametrize("by", [None, "hormon"])
def test_curves_are_those_of_pooled_rows_with_times_rounded_up_to_the_edges(by):
    options = {"tau": 1000, **({"by": by} if by else {})}

    result = done(protocol_with("kaplan-meier", **ENDPOINT, **options))

    found = result["values"]
    table = coarse(found["edges"], by)
    assert result["precision"] == "coarsened"
    for arm, described in found["arms"].items():
        expected = science.kaplan_meier(table, group=arm)
        size = len(described["survival"])
        assert size >= (12 if by else 30)
        assert described["at_risk"] == expected.at_risk[:size].tolist()
        np.testing.assert_allclose(described["survival"], expected.survival[:size], rtol=1e-10)
        np.testing.assert_allclose(described["se"], expected.se[:size], rtol=1e-10)
        mean = expected.restricted_mean(1000)
        assert described["restricted_mean"]["value"] == pytest.approx(mean.value, rel=1e-10)
        assert described["restricted_mean"]["se"] == pytest.approx(mean.se, rel=1e-10)
    if by:
        expected = science.logrank_test([science.logrank_block_of_table(table)])
        assert found["logrank"]["test"]["statistic"] == pytest.approx(expected.test.statistic, rel=1e-10)


def test_a_rehearsal_gives_the_day_level_curve_of_r():
    expected = golden()["km"]["log"]["by_group_pooled"]["strata"]["hormon=1"]

    result = done(protocol_with("kaplan-meier", **ENDPOINT, by="hormon"), policy=REHEARSAL)

    found = result["values"]["arms"]["1"]
    for day, survival, se in zip(expected["time"], expected["surv"], expected["std_err_greenwood"], strict=True):
        place = np.searchsorted(found["times"], day, side="right") - 1
        assert found["survival"][place] == pytest.approx(survival, rel=1e-10)
        assert found["se"][place] == pytest.approx(se, rel=1e-10)
    median = found["quantiles"][1]
    assert [median["value"], median["low"], median["high"]] == [
        expected[name] for name in ("median", "median_lcl", "median_ucl")
    ]


def test_the_day_level_curve_is_refused_where_the_time_grid_is_guarded():
    protocol = protocol_with("kaplan-meier", **ENDPOINT)
    plan = plan_of(protocol.analysis("x"), protocol)
    policy = Policy.of(protocol.disclosure)
    table = site_tables()["nl"]
    days = block_days(plan, table, policy)

    with pytest.raises(AnswerRefused) as refusal:
        answer_request(plan, days, table=table, policy=policy, ledger=Ledger())
    answer = answer_request(plan, days, table=table, policy=policy.without("time-grid"), ledger=Ledger())

    assert "time-grid" in {breach.guard for breach in refusal.value.breaches}
    assert answer.block["events"].count(1) > 500


def block_days(plan: Any, table: SiteTable, policy: Policy) -> Request:
    """Return the request for counts on every day on which the site has any."""
    first = answer_request(plan, plan.begin(), table=table, policy=policy.without("time-grid"), ledger=Ledger())
    return Request(2, "table", {"edges": list(first.block["days"])})


def test_a_site_with_too_few_events_for_an_interval_gives_no_curve():
    protocol = protocol_with("kaplan-meier", **ENDPOINT)

    def spare_all_but_four(site, columns):
        if site == "de":
            happened = np.flatnonzero((columns["event"] == 1) & (columns["nodes"] > 0))
            columns["event"][happened[4:]] = 0

    result = run(protocol, tables=by_site(protocol, spare_all_but_four))

    assert (result["state"], result["site"]) == ("refused", "de")
    assert result["reasons"] == ["time-grid: no interval has enough events in every arm"]


@pytest.mark.parametrize(
    ("kind", "options", "name"),
    [
        (
            "logistic",
            {"outcome": "hormon", "terms": TERMS[1:]},
            "logistic_ps_pooled_site_indicator",
        ),
        ("poisson", {"endpoint": "rfs", "terms": TERMS}, "poisson_rate"),
        ("linear", {"outcome": "age_years", "terms": [term for term in TERMS if term != "age"]}, "gaussian"),
    ],
)
def test_models_with_an_intercept_for_each_site_are_those_of_r(kind, options, name):
    expected = golden()[name]

    result = done(protocol_with(kind, **options))

    found = result["values"]
    assert result["precision"] == "exact"
    np.testing.assert_allclose(found["coef"], expected["coef"], rtol=MODEL)
    np.testing.assert_allclose(found["se"], expected["se"], rtol=MODEL)
    np.testing.assert_allclose(found["p"], expected["p"], rtol=1e-6, atol=1e-300)


def test_an_outcome_that_a_term_separates_is_recognised():
    protocol = protocol_with("logistic", outcome="hormon", terms=["meno", "nodes"])

    def treat_after_the_menopause_alone(site, columns):
        columns["hormon"] = np.where(columns["meno"] == 1, columns["hormon"], 0.0)

    result = run(protocol, tables=by_site(protocol, treat_after_the_menopause_alone))

    assert result["state"] == "failed"
    assert "rises without end in (intercept), meno" in result["reasons"][0]


WEIGHTED = {**ENDPOINT, "propensity": TERMS[1:]}


@pytest.mark.parametrize("ties", ["efron", "breslow"])
@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({}, "ate"),
        ({"stabilised": True}, "stabilised"),
        ({"model": "by-site"}, "ate_site_specific_ps"),
        ({"model": "by-site", "stabilised": True}, "stabilised_site_specific_ps"),
    ],
)
def test_weighted_hazard_ratios_and_balance_are_those_of_r(options, name, ties):
    weighted = golden()["iptw"][name]
    expected = weighted[f"cox_stratified_by_site_{ties}"]

    found = done(protocol_with("weighting", **WEIGHTED, **options, ties=ties))["values"]

    assert found["coef"][0] == pytest.approx(expected["coef"], rel=MODEL)
    assert found["se"][0] == pytest.approx(expected["se"], rel=MODEL)
    assert found["loglik"] == pytest.approx(expected["loglik"], rel=MODEL)
    balance = found["balance"]
    np.testing.assert_allclose(balance["before"], list(golden()["iptw"]["smd_before"].values()), rtol=MODEL)
    np.testing.assert_allclose(balance["after"], list(weighted["smd_after"].values()), rtol=1e-6, atol=MODEL)
    sizes = [weighted["weights"]["ess_control"], weighted["weights"]["ess_treated"]]
    np.testing.assert_allclose([balance["arms"][arm]["effective_n"] for arm in ("0", "1")], sizes, rtol=MODEL)


def test_overlap_weights_balance_means_exactly():
    found = done(protocol_with("weighting", **WEIGHTED, estimand="overlap"))

    np.testing.assert_allclose(found["values"]["balance"]["after"], 0, atol=MODEL)
    assert "not-balanced" not in found["warnings"]


def test_weights_for_the_treated_leave_the_treated_as_they_are():
    found = done(protocol_with("weighting", **WEIGHTED, estimand="att"))["values"]

    treated = found["balance"]["arms"]["1"]
    assert treated["weights"] == treated["n"] == pytest.approx(treated["effective_n"])


def everybody(members: dict[str, Any]) -> None:
    """Take patients without positive nodes too: hardly any of them was treated."""
    members.pop("population")


def test_extreme_weights_and_poor_overlap_are_told():
    found = done(protocol_with("weighting", everybody, **WEIGHTED), policy=REHEARSAL)

    assert {"poor-overlap", "extreme-weights"} <= set(found["warnings"])


def test_a_patient_with_much_of_the_weight_stops_the_weighted_model():
    result = run(protocol_with("weighting", everybody, **WEIGHTED))

    assert (result["state"], result["site"]) == ("refused", "de")
    assert "dominance: ww (exposed=0)" in result["reasons"]


def test_trimming_leaves_out_scores_near_the_ends():
    whole = done(protocol_with("weighting", **WEIGHTED))["values"]

    trimmed = done(protocol_with("weighting", **WEIGHTED, trim=0.1))["values"]

    assert sum(trimmed["n"].values()) < sum(whole["n"].values())
    assert set(trimmed["balance"]["few_others_alike"].values()) == {0}


def test_a_model_that_is_certain_of_an_arm_gives_no_weights():
    protocol = protocol_with("weighting", **{**WEIGHTED, "propensity": ["nodes"]}, model="by-site")

    def treat_by_nodes(site, columns):
        columns["hormon"] = (columns["nodes"] > 3).astype(float)
        columns["hormon"][np.flatnonzero(columns["nodes"] == 2)[:20]] = 1.0

    result = run(protocol, tables=by_site(protocol, treat_by_nodes))

    assert result["state"] == "failed"
    assert "could have been in one arm alone" in result["reasons"][0]


@pytest.mark.parametrize("ties", ["efron", "breslow"])
@pytest.mark.parametrize(("terms", "name"), [(TERMS, "adjusted"), (["hormon"], "arm_only")])
def test_meta_analysis_of_the_sites_is_that_of_r(terms, name, ties):
    expected = golden()["meta"][f"{name}_{ties}"]

    found = done(protocol_with("meta", **ENDPOINT, terms=terms, ties=ties))["values"]

    pairs = {"fixed": "fixed", "dersimonian-laird": "random_dl"}
    for ours, theirs in pairs.items():
        pooled, other = found["pooled"][ours], expected[theirs]
        assert pooled["coef"] == pytest.approx(other["est"], rel=MODEL)
        assert pooled["se"] == pytest.approx(other["se"], rel=MODEL)
        assert pooled["tau_squared"] == pytest.approx(other.get("tau2", 0), rel=1e-7)
    assert found["heterogeneity"]["q"] == pytest.approx(expected["Q"], rel=1e-7)
    assert found["heterogeneity"]["i_squared"] * 100 == pytest.approx(expected["I2_pct"], rel=1e-6)


def test_sites_that_differ_by_more_than_chance_are_told():
    protocol = protocol_with("meta", lambda members: members.pop("population"), **ENDPOINT, terms=TERMS)

    found = done(protocol)

    assert found["values"]["heterogeneity"]["i_squared"] > 0.5
    assert "sites-differ" in found["warnings"]


def test_the_e_value_of_the_exposure_stands_beside_its_hazard_ratio():
    values = done(protocol_with("cox", **ENDPOINT, terms=TERMS))["values"]

    ratio = values["hr"][0]
    risk = (1 - 0.5 ** (ratio**-0.5)) / (1 - 0.5 ** (ratio**0.5))
    assert values["e_value"]["outcome_is_common"]
    assert values["e_value"]["estimate"] == pytest.approx(risk + (risk * (risk - 1)) ** 0.5)
    assert 1 < values["e_value"]["limit"] < values["e_value"]["estimate"]


def test_a_second_table_by_time_that_differs_by_few_rows_is_refused():
    protocol = breast_protocol(two_curves)[1]
    ledgers: dict[str, Ledger] = {site: MemoryLedger(table, site) for site, table in site_tables().items()}
    policy = Policy.of(protocol.disclosure)

    def ask(analysis: str, policy: Policy) -> dict[str, Any]:
        return run_on_tables(protocol, analysis, tables=site_tables(), policy=policy, ledgers=ledgers)

    first, second = ask("overall", policy), ask("older", policy)
    unguarded = ask("older", policy.without("differencing"))

    assert first["state"] == "done", first["reasons"]
    assert (second["state"], second["reasons"]) == ("refused", ["differencing: rows"])
    assert unguarded["state"] == "done"


def two_curves(members: dict[str, Any]) -> None:
    """Plan the curve of all patients and that of the older ones: the few years between have few events by interval."""
    curve = {"kind": "kaplan-meier", "title": {"en": "x"}, **ENDPOINT}
    older = [{"variable": "age_years", "at_least": 32}]
    members["analyses"] = [{"id": "overall", **curve}, {"id": "older", **curve, "where": older}]


def test_concordance_of_pairs_within_sites_is_that_of_r():
    expected = golden()["concordance"]["stratified_by_site_efron"]

    found = done(protocol_with("cox", **ENDPOINT, terms=TERMS, concordance=True))["values"]["concordance"]

    assert found["value"] == pytest.approx(expected["concordance"], rel=MODEL)
    assert found["se"] == pytest.approx(expected["se"], rel=1e-7)


def test_the_pairs_of_each_row_add_up_to_those_of_the_site():
    part = cohorts()["DE"]
    block = science.concordance_block(part.times, part.events, part.hormon)

    pairs = pairs_of_rows(part.times, part.events)

    assert pairs.sum() == 2 * (block.concordant + block.discordant + block.tied_score)
    assert (pairs**2).sum() == block.pairs_squared
