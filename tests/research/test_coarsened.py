"""The coarsened analyses: one risk set over all sites, quantiles of numbers, concordance of all pairs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corridor import science
from corridor.pillars.research.rules.analyses import MalformedBlock, Request, plan_of
from corridor.pillars.research.rules.disclosure import REHEARSAL, Policy
from corridor.pillars.research.rules.engine import AnswerRefused, answer_request, next_step
from corridor.pillars.research.rules.ledger import Ledger, MemoryLedger
from corridor.pillars.research.rules.protocol.reading import MalformedProtocol
from corridor.pillars.research.rules.rehearsal import run_on_tables
from corridor.pillars.research.rules.rows import SiteTable
from tests.golden.breast_cancer import golden
from tests.reference import coarse as slow
from tests.research.studies import breast_protocol
from tests.research.test_analyses import ENDPOINT, TERMS, by_site, done, protocol_with, run, site_tables

GRID = 30


def one_risk_set(**options: Any) -> Any:
    return protocol_with("cox-unstratified", **ENDPOINT, **options)


def drawn(seed: int) -> Any:
    """Return a change of the cohorts to drawn times, events and arms."""

    def change(site: str, columns: dict[str, np.ndarray]) -> None:
        random = np.random.default_rng([seed, len(site), ord(site[0])])
        count = len(columns["hormon"])
        columns["hormon"] = random.binomial(1, random.uniform(0.2, 0.8), count).astype(float)
        life = random.exponential((500.0 + 200.0 * seed) * np.exp(0.4 * columns["hormon"]), count)
        followed = random.uniform(30, 1500, count)
        columns["time_days"] = np.ceil(np.minimum(life, followed))
        columns["event"] = (life <= followed).astype(float)
        columns["nodes"] = (np.arange(count) < 500).astype(float)

    return change


@pytest.mark.parametrize("ties", ["efron", "breslow"])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_one_risk_set_equals_a_slow_fit_of_rows_coarsened_a_second_way(seed, ties):
    protocol = one_risk_set(terms=["hormon"], ties=ties)
    tables = by_site(protocol, drawn(seed))

    found = done(protocol, tables=tables)["values"]

    sites = []
    for _, table in sorted(tables.items()):
        inside = table.columns["nodes"] > 0
        sites.append([table.columns[name][inside].tolist() for name in ("time_days", "event", "hormon")])
    edges = slow.agreed_edges(sites, GRID)
    ends, died, flags = [], [], []
    for site in sites:
        t, d = slow.moved(*site, edges)
        ends, died, flags = ends + t, died + d, flags + site[2]
    coef, se = slow.fit(ends, died, flags, ties=ties)
    assert found["edges"] == edges
    assert len(edges) > 4
    assert found["coef"][0] == pytest.approx(coef, rel=1e-8)
    assert found["se"][0] == pytest.approx(se, rel=1e-8)
    assert sum(found["events"].values()) == sum(died)


@pytest.mark.parametrize("ties", ["efron", "breslow"])
def test_a_rehearsal_gives_the_unstratified_fit_of_r(ties):
    expected = golden()["cox"][f"unstratified_{ties}"]

    found = done(one_risk_set(terms=TERMS, ties=ties), policy=REHEARSAL)["values"]

    np.testing.assert_allclose(found["coef"], expected["coef"], rtol=1e-8)
    np.testing.assert_allclose(found["se"], expected["se"], rtol=1e-8)
    np.testing.assert_allclose(
        [found["loglik_null"], found["loglik"]], [expected["loglik_null"], expected["loglik"]], rtol=1e-8
    )


def test_nine_terms_leave_no_interval_and_the_reason_says_so():
    result = run(one_risk_set(terms=TERMS))

    assert (result["state"], result["site"]) == ("refused", "de")
    assert result["reasons"] == ["time-grid: no interval has enough events for the terms of the model"]


def test_sums_by_day_give_away_rows_where_the_time_grid_is_not_guarded():
    protocol = one_risk_set(terms=TERMS)
    plan, table = plan_of(protocol.analysis("x"), protocol), site_tables()["nl"]
    rows = plan.rows(table)
    clock, matrix = rows.clock(protocol.endpoint("rfs")), rows.matrix(TERMS)
    days = [0.0, *np.unique(clock.times[clock.events == 1]).tolist()]
    by_day = Request(2, "sums", {"edges": days, "beta": [0.0] * len(TERMS)})
    policy = Policy.of(protocol.disclosure)

    block = answer_request(plan, by_day, table=table, policy=policy.without("time-grid"), ledger=Ledger()).block
    with pytest.raises(AnswerRefused) as refusal:
        answer_request(plan, by_day, table=table, policy=policy, ledger=Ledger())

    sums = np.array(block["tied_sum"]).reshape(len(days) - 1, len(TERMS))
    alone = np.array(block["deaths"]) == 1
    truth = {tuple(row) for row in matrix[clock.events == 1].tolist()}
    assert sum(tuple(row) in truth for row in sums[alone].tolist()) == alone.sum() > 600
    assert "time-grid" in {breach.guard for breach in refusal.value.breaches}


@pytest.mark.parametrize(
    ("edges", "subject"),
    [
        ([0.0, 300.0, 330.0, 1620.0], "(300, 330] events"),
        ([0.0, 300.0, 2460.0], "after 2460"),
        ([0.0, 301.0, 1620.0], "edges are no multiples of 30 days"),
    ],
    ids=["a-thin-interval", "a-thin-tail", "off-the-grid"],
)
def test_edges_that_single_out_few_are_refused_whoever_names_them(edges, subject):
    protocol = one_risk_set(terms=["hormon"])
    plan, table = plan_of(protocol.analysis("x"), protocol), site_tables()["de"]
    asked = Request(2, "sums", {"edges": edges, "beta": [0.0]})
    policy = Policy.of(protocol.disclosure)

    with pytest.raises(AnswerRefused) as refusal:
        answer_request(plan, asked, table=table, policy=policy, ledger=Ledger())
    answered = answer_request(plan, asked, table=table, policy=policy.without("time-grid"), ledger=Ledger())

    assert subject in {breach.subject for breach in refusal.value.breaches}
    assert len(answered.block["deaths"]) == len(edges) - 1


def test_many_rows_of_few_patients_leave_no_interval():
    protocol = one_risk_set(terms=["hormon"])
    tables = dict(site_tables())
    rows = tables["de"]
    tables["de"] = SiteTable(rows.columns, tuple(f"p{place % 25}" for place in range(len(rows))))

    result = run(protocol, tables=tables)

    assert (result["state"], result["site"]) == ("refused", "de")
    assert "time-grid: no interval has enough events for the terms of the model" in result["reasons"]


def test_coefficients_that_no_fit_would_visit_are_refused_for_one_risk_set_too():
    protocol = one_risk_set(terms=["hormon"])
    plan, table = plan_of(protocol.analysis("x"), protocol), site_tables()["de"]
    edges, policy = [0.0, 300.0, 390.0, 510.0, 780.0, 1620.0], Policy.of(protocol.disclosure)

    for beta, off in (([4.0], ()), ([1e4], ()), ([4.0], ("likelihood",))):
        asked = Request(3, "sums", {"edges": edges, "beta": beta})
        if off:
            assert answer_request(plan, asked, table=table, policy=policy.without(*off), ledger=Ledger()).block
            continue
        with pytest.raises(AnswerRefused) as refusal:
            answer_request(plan, asked, table=table, policy=policy, ledger=Ledger())
        assert {breach.guard for breach in refusal.value.breaches} == {"likelihood"}


def test_a_block_without_persons_at_risk_is_said_to_be_malformed():
    protocol = one_risk_set(terms=["hormon"])
    plan, policy = plan_of(protocol.analysis("x"), protocol), Policy.of(protocol.disclosure)
    edges = [0.0, 300.0, 1620.0]
    named = Request(2, "edges", {"among": edges})
    sums = Request(3, "sums", {"edges": edges, "beta": [0.0]})
    blocks = {
        site: dict(answer_request(plan, sums, table=table, policy=policy, ledger=Ledger()).block)
        for site, table in site_tables().items()
    }
    own = {site: {"edges": edges} for site in blocks}
    blocks["de"]["risk"] = [0.0, 0.0]

    with pytest.raises(MalformedBlock, match="site de"):
        next_step(plan, [(Request(1, "edges"), own), (named, own), (sums, blocks)])


@given(st.lists(st.integers(1, 12), min_size=1, max_size=12), st.floats(0.05, 0.95), st.integers(0, 1000))
def test_grouped_quantiles_are_those_of_values_spread_over_their_bins(counts, share, seed):
    edges = np.concatenate(([0.0], np.cumsum(np.random.default_rng(seed).uniform(0.5, 9, len(counts))))).tolist()

    found = science.grouped_quantile(edges, counts, share)

    expected = slow.quantile(slow.spread_values(edges, counts), share)
    low, high = found.bin
    assert low <= found.value <= high
    if expected is not None:
        assert found.value == pytest.approx(expected, rel=1e-9, abs=1e-9)
    if found.low is not None and found.high is not None:
        assert found.low <= found.value <= found.high


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: science.grouped_quantile([0, 1], [0], 0.5), "not all of them 0"),
        (lambda: science.grouped_quantile([0, 1], [3], 1.0), "share is 1.0"),
        (lambda: science.grouped_quantile([1, 0], [3], 0.5), "ascending"),
    ],
)
def test_a_faulty_argument_of_a_grouped_quantile_is_named(call, text):
    with pytest.raises(science.BadModel, match=text):
        call()


def test_the_quantile_of_the_values_lies_in_the_bin_that_is_named():
    found = done(protocol_with("quantiles", variable="pgr_fmol", step=10, by="hormon"))["values"]

    for arm, described in found["arms"].items():
        values = [
            table.columns["pgr_fmol"][(table.columns["nodes"] > 0) & (table.columns["hormon"] == float(arm))]
            for table in site_tables().values()
        ]
        for each in described["quantiles"]:
            exact = np.quantile(np.concatenate(values), each["share"], method="inverted_cdf")
            assert each["bin"][0] < exact <= each["bin"][1]
        assert min(described["counts"]) >= 2 * 5


def test_bins_with_few_persons_are_refused_and_told_without_the_guard():
    protocol = protocol_with("quantiles", variable="age_years", step=1)
    plan, table = plan_of(protocol.analysis("x"), protocol), site_tables()["de"]
    asked, policy = Request(3, "counts", {"edges": [17.0, 21.0, 110.0]}), Policy.of(protocol.disclosure)

    with pytest.raises(AnswerRefused) as refusal:
        answer_request(plan, asked, table=table, policy=policy, ledger=Ledger())
    block = answer_request(plan, asked, table=table, policy=policy.without("smallest-cell"), ledger=Ledger()).block

    assert {breach.guard for breach in refusal.value.breaches} == {"smallest-cell"}
    assert block["counts"] == [1, 685]


def test_other_bins_of_the_same_persons_are_not_told_where_the_difference_is_few():
    protocol = protocol_with("quantiles", variable="age_years", step=1)
    plan, table = plan_of(protocol.analysis("x"), protocol), site_tables()["de"]
    policy = Policy.of(protocol.disclosure)
    ages = table.columns["age_years"]
    rare = max(age for age in range(60, 80) if 0 < (ages == age).sum() < 5 <= (ages > age).sum())
    first, second = (Request(3, "counts", {"edges": [17.0, rare - less, 110.0]}) for less in (1.0, 0.0))

    for off in ((), ("differencing",)):
        ledger, rules = MemoryLedger(table, "0" * 64), policy.without(*off)
        assert answer_request(plan, first, table=table, policy=rules, ledger=ledger)
        if off:
            assert answer_request(plan, second, table=table, policy=rules, ledger=ledger)
            continue
        with pytest.raises(AnswerRefused) as refusal:
            answer_request(plan, second, table=table, policy=rules, ledger=ledger)
        assert {breach.guard for breach in refusal.value.breaches} == {"differencing"}


@pytest.mark.parametrize(("edges", "is_told"), [([420, 780, 1620], True), (None, False)], ids=["named", "of-the-grid"])
def test_analyses_by_time_of_the_same_patients_can_be_had_together_where_the_plan_names_their_edges(edges, is_told):
    options = {**ENDPOINT, **({"edges": edges} if edges else {})}

    def plan(members: dict[str, Any]) -> None:
        members["analyses"] = [
            {"id": "fit", "kind": "cox-unstratified", "title": {"en": "x"}, "terms": ["hormon"], **options},
            {"id": "pairs", "kind": "concordance", "title": {"en": "x"}, "terms": TERMS, **options},
            {"id": "curves", "kind": "kaplan-meier", "title": {"en": "x"}, "by": "hormon", **options},
        ]

    protocol = breast_protocol(plan)[1]
    ledgers: dict[str, Ledger] = {site: MemoryLedger(table, site) for site, table in site_tables().items()}
    found = [
        run_on_tables(protocol, name, tables=site_tables(), policy=Policy.of(protocol.disclosure), ledgers=ledgers)
        for name in ("fit", "pairs", "curves")
    ]

    assert [each["state"] for each in found] == ["done", "done", "done" if is_told else "refused"]
    if is_told:
        assert [each["values"]["edges"] for each in found] == [[0, 420, 780, 1620], [0, 420, 780], [0, 420, 780, 1620]]
    else:
        assert found[-1]["reasons"] == ["differencing: rows"]


@pytest.mark.parametrize(
    ("kind", "options", "pointer"),
    [
        ("kaplan-meier", {"endpoint": "rfs", "edges": [300, 310]}, "edges"),
        ("cox-unstratified", {"endpoint": "rfs", "terms": ["hormon"], "edges": [600, 300]}, "edges"),
        ("quantiles", {"variable": "meno", "step": 1}, "variable"),
        ("quantiles", {"variable": "age_years", "step": 0.001}, "step"),
        ("quantiles", {"variable": "age_years", "step": 1, "shares": [1.5]}, "shares/0"),
        ("cox-unstratified", {"endpoint": "rfs", "terms": ["hormon"], "robust": True}, "robust"),
        ("concordance", {"endpoint": "rfs", "terms": ["hormon"], "bins": 11}, "bins"),
        ("logrank", {"endpoint": "rfs", "by": "hormon", "weights": "gehan"}, "weights"),
    ],
)
def test_an_option_that_a_coarsened_analysis_does_not_have_is_named(kind, options, pointer):
    with pytest.raises(MalformedProtocol) as fault:
        protocol_with(kind, **options)

    assert [each.pointer for each in fault.value.faults] == [f"/analyses/0/{pointer}"]


@pytest.mark.parametrize("kind", ["cox-unstratified", "concordance"])
def test_delayed_entry_is_refused_where_sums_or_pairs_cannot_bear_it(kind):
    def enter(members: dict[str, Any]) -> None:
        members["endpoints"][0]["entry"] = "nodes"

    with pytest.raises(MalformedProtocol, match="without delayed entry"):
        protocol_with(kind, enter, **ENDPOINT, terms=["hormon"])


def test_a_number_without_a_range_in_the_dictionary_has_no_public_grid():
    def forget(members: dict[str, Any]) -> None:
        for variable in members["variables"]:
            variable.pop("most", None)

    with pytest.raises(MalformedProtocol, match="least and most in the dictionary"):
        protocol_with("quantiles", forget, variable="age_years", step=1)


def test_a_step_that_is_too_wide_for_any_bin_says_what_helps():
    result = run(protocol_with("quantiles", variable="age_years", step=90))

    assert result["state"] == "failed"
    assert "use a smaller step" in result["reasons"][0]


def test_a_score_that_is_the_same_for_all_orders_nobody():
    protocol = protocol_with("concordance", **ENDPOINT, terms=["hormon"])
    plan = plan_of(protocol.analysis("x"), protocol)
    scores = {site: {"n": [100.0], "scores": [0.0, 0.0]} for site in ("de", "nl")}
    fit = run_to_the_scores(plan, protocol)

    with pytest.raises(Exception, match="the same score"):
        next_step(plan, [*fit, (Request(len(fit) + 1, "scores", {"beta": [0.0]}), scores)])


def run_to_the_scores(plan: Any, protocol: Any) -> list[Any]:
    """Return the rounds of the fit."""
    history: list[Any] = []
    policy = Policy.of(protocol.disclosure)
    while True:
        step = next_step(plan, history)
        if step.step == "scores":
            return history
        answers = {
            site: answer_request(plan, step, table=table, policy=policy, ledger=Ledger()).block
            for site, table in site_tables().items()
        }
        history.append((step, answers))
